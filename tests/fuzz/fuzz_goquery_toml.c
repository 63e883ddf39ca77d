/* fuzz_goquery_toml.c - any bytes as a TOML and as an .env file: keys and values are proper texts.
 */
#include "toml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gp_status on_setting(void *ctx, const char *key, const char *value, unsigned line,
                            gp_err *err)
{
    size_t *n = ctx;
    (void)err;
    *n += strlen(key) + strlen(value);
    if (line == 0)
        abort();
    return GP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n = 0;
    gp_err err;
    if (goquery_toml((const char *)data, size, on_setting, &n, &err) != GP_OK &&
        strncmp(err.msg, "line ", 5) != 0)
        abort();
    if (goquery_dotenv((const char *)data, size, on_setting, &n, &err) != GP_OK &&
        strncmp(err.msg, "line ", 5) != 0)
        abort();
    return 0;
}
