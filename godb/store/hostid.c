/* hostid.c - identity of this host (godb-format.md 7.1). */
#include "db.h"
#include "gp/io.h"
#include "gp/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>

enum { ID_BYTES = 16, ID_MAX = 4096, PATH_CAP = 4096 };

/* Content without trailing line feeds; false if the file cannot be read. */
static int read_id(const char *path, char *buf, size_t cap)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};

    if (gp_read_file(AT_FDCWD, path, ID_MAX, &b, NULL) != GP_OK)
        return 0;
    while (b.len > 0 && b.data[b.len - 1] == '\n')
        b.len--;
    const char *text = gp_buf_str(&b);
    return text && snprintf(buf, cap, "%s", text) >= 0;
}

static int make_id(const char *path, char *buf, size_t cap)
{
    uint8_t raw[ID_BYTES];
    char hex[2 * ID_BYTES + 1];

    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return 0;
    gp_hex(raw, sizeof raw, hex);
    if (gp_write_file_atomic(AT_FDCWD, path, hex, 2 * ID_BYTES, 0600, NULL) != GP_OK)
        return 0;
    return snprintf(buf, cap, "%s", hex) >= 0;
}

void godb_host_id_of(const char *const machine[2], const char *db_path, char *buf, size_t cap)
{
    char path[PATH_CAP];

    if (cap == 0 || read_id(machine[0], buf, cap) || read_id(machine[1], buf, cap))
        return;
    if (db_path) {
        int n = snprintf(path, sizeof path, "%s/host.id", db_path);
        if (n > 0 && (size_t)n < sizeof path &&
            (read_id(path, buf, cap) || make_id(path, buf, cap)))
            return;
    }
    snprintf(buf, cap, "UNKNOWN");
}

void godb_host_id(const char *db_path, char *buf, size_t cap)
{
    static const char *const machine[] = {"/etc/machine-id", "/var/lib/dbus/machine-id"};
    godb_host_id_of(machine, db_path, buf, cap);
}
