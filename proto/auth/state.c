/* state.c - files beside the configuration, or in the state directory where that is read-only. */
#include "state.h"

#include "gp/io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { MODE = 0644 }; /* certificates and lists are public */

int auth_state_path(const char *path, const char *suffix, gp_buf *out)
{
    const char *dir = getenv("STATE_DIRECTORY"), *base = strrchr(path, '/');
    size_t n = dir ? strcspn(dir, ":") : 0;
    if (n == 0 || dir[0] != '/')
        return 0;
    gp_buf_add(out, dir, n);
    gp_buf_printf(out, "/%s%s", base ? base + 1 : path, suffix);
    return !out->failed;
}

gp_status auth_state_write(const char *path, const char *suffix, const gp_buf *text, gp_err *err)
{
    gp_buf file = {0}, kept = {0};
    gp_buf_printf(&file, "%s%s", path, suffix);
    gp_status st =
        file.failed || text->failed
            ? gp_fail(err, GP_EIO, 0, "%s%s: out of memory", path, suffix)
            : gp_write_file_atomic(AT_FDCWD, gp_buf_str(&file), text->data, text->len, MODE, err);
    if (st != GP_OK && !text->failed && auth_state_path(path, suffix, &kept))
        st = gp_write_file_atomic(AT_FDCWD, gp_buf_str(&kept), text->data, text->len, MODE, err);
    gp_buf_free(&file);
    gp_buf_free(&kept);
    if (st != GP_OK && err)
        err->code = GP_EIO;
    return st == GP_OK ? GP_OK : GP_EIO;
}
