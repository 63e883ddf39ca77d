/* out.c - messages and reading of public keys, for all commands. */
#include "gp/io.h"
#include "gpkey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int gpkey_fail(const gp_err *err)
{
    fprintf(stderr, "gpkey: %s\n", err->msg);
    return 1;
}

int gpkey_finish(int code)
{
    gp_err err;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    (void)gp_fail(&err, GP_EIO, errno, "cannot write the output");
    return gpkey_fail(&err);
}

int gpkey_usage(const cli_line *line, const char *fmt, ...)
{
    va_list ap;
    fputs("gpkey: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nSee: gpkey %s%s--help\n", line->cmd == line->root ? "" : line->cmd->name,
            line->cmd == line->root ? "" : " ");
    return 2;
}

enum { PUB_MAX = 4096, REQUEST_MAX = 8192 };

/* First line that is neither empty nor a comment. */
static size_t first_line(const char *text, size_t len, const char **line)
{
    for (size_t at = 0; at < len;) {
        const char *nl = memchr(text + at, '\n', len - at);
        size_t n = nl ? (size_t)(nl - text) - at : len - at;
        *line = text + at;
        at += n + 1;
        while (n && ((*line)[n - 1] == '\r' || (*line)[n - 1] == ' '))
            n--;
        if (n && **line != '#')
            return n;
    }
    return 0;
}

gp_status gpkey_read_public(const char *path, auth_peer *out, int *secret, gp_err *err)
{
    gp_buf text = {0};
    const char *line = NULL;
    gp_status st = gp_read_file(AT_FDCWD, path, PUB_MAX, &text, err);
    *secret = 0;
    if (st == GP_OK && text.len > 18 &&
        (memcmp(text.data, "fleetprobe-key-", 15) == 0 ||
         memcmp(text.data, "fleetprobe-sealed-", 18) == 0)) {
        auth_identity *id = NULL;
        gp_buf_free(&text);
        GP_TRY(auth_identity_load(path, &id, err));
        *secret = 1;
        gp_buf entry = {0};
        auth_trust_entry(id, NULL, &entry);
        st = auth_entry_parse((char *)entry.data, entry.len - 1, out, err);
        gp_buf_free(&entry);
        auth_identity_free(id);
        return st;
    }
    if (st == GP_OK && text.len > 16 && memcmp(text.data, "fleetprobe-cert-", 16) == 0)
        st = gp_fail(err, GP_EINVAL, 0,
                     "%s is a certificate; expected a .pub or key file (certificates are trusted "
                     "by the key of their fleet)",
                     path);
    else if (st == GP_OK) {
        size_t n = first_line((char *)text.data, text.len, &line);
        st = n ? auth_entry_parse(line, n, out, err) : gp_fail(err, GP_EINVAL, 0, "empty file");
        if (st != GP_OK)
            gp_fail_context(err, st, "%s", path);
    }
    gp_buf_free(&text);
    return st;
}

gp_status gpkey_read_request(const char *path, auth_peer *out, gpkey_file *what, gp_err *err)
{
    static const char mark[] = "fleetprobe-csr-";
    gp_buf text = {0};
    int secret = 0;
    gp_status st = gp_read_file(AT_FDCWD, path, REQUEST_MAX, &text, err);
    int request =
        st == GP_OK && text.len >= sizeof mark - 1 && memcmp(text.data, mark, sizeof mark - 1) == 0;
    if (request) {
        st = auth_csr_read((const char *)text.data, text.len, out, err);
        if (st != GP_OK)
            gp_fail_context(err, st, "%s", path);
    } else if (st == GP_OK) {
        st = gpkey_read_public(path, out, &secret, err);
    }
    gp_buf_free(&text);
    *what = request ? GPKEY_REQUEST : secret ? GPKEY_KEY : GPKEY_PUB;
    return st;
}

void gpkey_pub_path(const char *key_path, gp_buf *out)
{
    size_t n = strlen(key_path);
    if (n > 4 && strcmp(key_path + n - 4, ".key") == 0)
        n -= 4;
    gp_buf_add(out, key_path, n);
    gp_buf_adds(out, ".pub");
}
