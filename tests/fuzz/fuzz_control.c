/* fuzz_control.c - any bytes as each message of the control service; a status that decodes must
 * encode and decode to as many interfaces.
 */
#include "wire/control.h"

#include "gp/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void requests(const uint8_t *data, size_t size)
{
    char *const *names = NULL;
    char *text = NULL;
    void *owner = NULL;
    size_t n = 0;
    if (wire_control_request_decode(data, size, &names, &n, &owner, NULL) == GP_OK)
        wire_control_request_free(owner);
    if (wire_config_set_decode(data, size, &text, &n, NULL) == GP_OK) {
        if (n > size || text[n] != '\0')
            abort();
        gp_free(text);
    }
}

static void status(const uint8_t *data, size_t size)
{
    wire_status_reply r = {0}, again = {0};
    if (wire_status_decode(data, size, &r, NULL) == GP_OK) {
        gp_buf b = {0};
        wire_put_status(&b, &r.daemon, r.v, r.n);
        if (wire_status_decode(b.data, b.len, &again, NULL) != GP_OK || again.n != r.n)
            abort();
        gp_buf_free(&b);
    }
    wire_status_clear(&r);
    wire_status_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_config_reply c = {0};
    wire_changes_reply h = {0};
    requests(data, size);
    status(data, size);
    if (wire_config_decode(data, size, &c, NULL) == GP_OK) {
        gp_buf b = {0};
        wire_put_config(&b, c.v, c.n);
        gp_buf_free(&b);
    }
    if (wire_changes_decode(data, size, &h, NULL) == GP_OK) {
        gp_buf b = {0};
        wire_put_changes(&b, h.v, h.n);
        gp_buf_free(&b);
    }
    wire_config_clear(&c);
    wire_changes_clear(&h);
    return 0;
}
