/* keyfile.c - key files on disk: one text line, private to its owner, never overwritten. */
#include "keyfile.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "gp/output.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[] = "fleetprobe-key-v1";
enum { PLAIN_MAX = 256 }; /* bytes of a line that is not sealed */

/* "MAGIC kind name seed\n"; the buffer is wiped by its owner. */
static gp_status plain_line(const auth_identity *id, gp_buf *out, gp_err *err)
{
    char hex[2 * AUTH_SEED + 1];
    (void)gp_buf_reserve(out, PLAIN_MAX); /* growing would leave a copy behind */
    gp_hex(id->seed, AUTH_SEED, hex);
    gp_buf_printf(out, "%s %s %s %s\n", MAGIC, auth_kind_name(id->kind), id->name, hex);
    sodium_memzero(hex, sizeof hex);
    return out->failed ? gp_fail(err, GP_ENOMEM, 0, "key file: out of memory") : GP_OK;
}

static gp_status write_new(const char *path, const gp_buf *line, gp_err *err)
{
    GP_CLEANUP(gp_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    gp_status st;
    if (fd < 0)
        return errno == EEXIST ? gp_fail(err, GP_EEXIST, 0,
                                         "%s exists already; a key file is never overwritten", path)
                               : gp_fail(err, GP_EIO, errno, "cannot create key file %s", path);
    if (fchmod(fd, 0600) != 0) /* the umask may have taken bits from us */
        st = gp_fail(err, GP_EIO, errno, "cannot set the mode of %s", path);
    else
        st = gp_write_full(fd, line->data, line->len, err);
    if (st == GP_OK && fsync(fd) != 0)
        st = gp_fail(err, GP_EIO, errno, "cannot write key file %s", path);
    if (st != GP_OK)
        unlink(path); /* ours: O_EXCL made it */
    return st;
}

gp_status auth_identity_write(const auth_identity *id, const char *path, int replace,
                              const char *pass, const auth_seal_cost *cost, gp_err *err)
{
    gp_buf line = {0};
    gp_status st = pass ? auth_seal_line(id, pass, cost, &line, err) : plain_line(id, &line, err);
    if (st == GP_OK)
        st = replace ? gp_output_write(path, 0600, line.data, line.len, err)
                     : write_new(path, &line, err);
    if (line.data)
        sodium_memzero(line.data, line.cap);
    gp_buf_free(&line);
    return st;
}

gp_status auth_identity_save(const auth_identity *id, const char *path, gp_err *err)
{
    return auth_identity_write(id, path, 0, NULL, NULL, err);
}

gp_status auth_private_file(int fd, const char *path, gp_err *err)
{
    struct stat sb;
    if (fstat(fd, &sb) != 0)
        return gp_fail(err, GP_EIO, errno, "cannot look at key file %s", path);
    if (!S_ISREG(sb.st_mode))
        return gp_fail(err, GP_EINVAL, 0, "key file %s is not a regular file", path);
    if (sb.st_mode & 077)
        return gp_fail(err, GP_EDENIED, 0,
                       "key file %s may be read by others (mode %03o); run: chmod 600 %s", path,
                       (unsigned)(sb.st_mode & 0777), path);
    if (sb.st_uid != geteuid() && geteuid() != 0)
        return gp_fail(err, GP_EDENIED, 0, "key file %s belongs to another user (uid %u)", path,
                       (unsigned)sb.st_uid);
    if (sb.st_size > AUTH_KEY_FILE_MAX)
        return gp_fail(err, GP_ECORRUPT, 0, "%s is no key file: larger than %d bytes", path,
                       AUTH_KEY_FILE_MAX);
    return GP_OK;
}

/* One line "MAGIC kind name seed"; text is cut apart in place. */
static gp_status parse_plain(char *text, const char *path, uint8_t seed[AUTH_SEED],
                             const char **kind, const char **name, gp_err *err)
{
    char *save = NULL;
    const char *magic = strtok_r(text, " \t\r\n", &save);
    *kind = strtok_r(NULL, " \t\r\n", &save);
    *name = strtok_r(NULL, " \t\r\n", &save);
    const char *hex = strtok_r(NULL, " \t\r\n", &save);
    if (!magic || strcmp(magic, MAGIC) != 0)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "%s is no key file: expected a line that starts with %s", path, MAGIC);
    if (!hex || strtok_r(NULL, " \t\r\n", &save))
        return gp_fail(err, GP_ECORRUPT, 0, "%s: expected '%s KIND NAME SEED' in one line", path,
                       MAGIC);
    if (!gp_unhex(hex, strlen(hex), seed, AUTH_SEED))
        return gp_fail(err, GP_ECORRUPT, 0, "%s: the seed is not 64 hexadecimal digits", path);
    return GP_OK;
}

/* A key file of either form. seed: locked memory. */
static gp_status parse_text(char *text, const char *path, uint8_t *seed, auth_identity **out,
                            gp_err *err)
{
    const char *kind = NULL, *name = NULL;
    size_t n = sizeof AUTH_SEALED_MAGIC - 1;
    if (strncmp(text, AUTH_SEALED_MAGIC " ", n + 1) == 0)
        GP_TRY(auth_seal_open(text, path, seed, &kind, &name, err));
    else
        GP_TRY(parse_plain(text, path, seed, &kind, &name, err));
    int k = auth_kind_by_name(kind);
    if (k < 0)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "%s: kind '%s'; expected agent, aggregator, gateway, user, issuer or fleet",
                       path, kind);
    return auth_identity_from_seed((auth_kind)k, name, seed, out, err);
}

/* "x.key" -> "x.crt"; appended when there is no ".key". */
static char *cert_path(const char *path)
{
    size_t n = strlen(path);
    if (n > 4 && strcmp(path + n - 4, ".key") == 0)
        n -= 4;
    return gp_asprintf("%.*s.crt", (int)n, path);
}

/* One that was renewed, but could not be written beside the key file. What an administrator put
 * there counts more: this one may say nothing else, and must have been made later. */
static void take_renewed(const auth_identity *id, const auth_chain *beside)
{
    auth_chain kept;
    auth_cert a, b;
    gp_buf path = {0};
    if (auth_state_path(id->certs->path, "", &path) &&
        auth_chain_load(gp_buf_str(&path), &kept, NULL) == GP_OK &&
        auth_cert_parse(beside->der[0], beside->len[0], &a, NULL) == GP_OK &&
        auth_cert_parse(kept.der[0], kept.len[0], &b, NULL) == GP_OK &&
        b.not_before_s >= a.not_before_s && auth_cert_prolongs(&a, &b, NULL) == GP_OK)
        (void)!auth_identity_set_chain(id, &kept, NULL);
    gp_buf_free(&path);
}

/* Take the certificate beside the key file, if there is one. */
static gp_status load_cert(auth_identity *id, const char *path, gp_err *err)
{
    auth_chain chain;
    id->certs->path = cert_path(path);
    if (!id->certs->path)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path);
    if (id->kind > AUTH_KIND_USER || access(id->certs->path, F_OK) != 0)
        return GP_OK; /* none; issuing keys show theirs only in what they sign */
    gp_status st = auth_chain_load(id->certs->path, &chain, err);
    if (st == GP_OK && (st = auth_identity_set_chain(id, &chain, err)) != GP_OK)
        st = gp_fail_context(err, st, "%s", id->certs->path);
    if (st == GP_OK)
        take_renewed(id, &chain);
    return st;
}

/* Somebody gave the public half: then its mode is not what is wrong. */
static gp_status check_not_public(int fd, const char *path, gp_err *err)
{
    char line[256];
    auth_peer p;
    ssize_t n = pread(fd, line, sizeof line, 0);
    const char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
    if (n <= 0 || auth_entry_parse(line, end ? (size_t)(end - line) : (size_t)n, &p, NULL) != GP_OK)
        return GP_OK;
    return gp_fail(err, GP_EINVAL, 0,
                   "%s is a public key; expected the key file that gpkey new made beside it "
                   "(NAME.key)",
                   path);
}

gp_status auth_identity_reread(const auth_identity *id, int *ret_changed, gp_err *err)
{
    auth_chain chain, now;
    auth_cert a, b;
    *ret_changed = 0;
    if (!id->certs->path || id->kind > AUTH_KIND_USER || access(id->certs->path, F_OK) != 0)
        return GP_OK;
    GP_TRY(auth_chain_load(id->certs->path, &chain, err));
    auth_identity_chain(id, &now);
    /* One that was renewed over the channel and could not be written is newer than the file. */
    if (now.n && auth_cert_parse(now.der[0], now.len[0], &a, NULL) == GP_OK &&
        auth_cert_parse(chain.der[0], chain.len[0], &b, NULL) == GP_OK &&
        ((now.len[0] == chain.len[0] && memcmp(now.der[0], chain.der[0], now.len[0]) == 0) ||
         b.not_before_s < a.not_before_s))
        return GP_OK;
    gp_status st = auth_identity_set_chain(id, &chain, err);
    if (st != GP_OK)
        return gp_fail_context(err, st, "%s", id->certs->path);
    *ret_changed = 1;
    return GP_OK;
}

gp_status auth_identity_load(const char *path, auth_identity **out, gp_err *err)
{
    auth_identity *id = NULL;
    GP_CLEANUP(gp_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT
                   ? gp_fail(err, GP_ENOTFOUND, 0,
                             "key file %s does not exist; make one with: gpkey new", path)
                   : gp_fail(err, GP_EIO, errno, "cannot open key file %s", path);
    GP_TRY(check_not_public(fd, path, err));
    GP_TRY(auth_private_file(fd, path, err));

    /* Text and seed lie in locked memory, too. */
    GP_TRY(auth_init(err));
    char *text = sodium_malloc(AUTH_KEY_FILE_MAX + 1 + AUTH_SEED);
    if (!text)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of locked memory", path);
    size_t n = 0;
    gp_status st = GP_OK;
    while (n < AUTH_KEY_FILE_MAX) {
        ssize_t r = read(fd, text + n, AUTH_KEY_FILE_MAX - n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            st = gp_fail(err, GP_EIO, errno, "cannot read key file %s", path);
        if (r <= 0)
            break;
        n += (size_t)r;
    }
    text[n] = 0;
    if (st == GP_OK)
        st = parse_text(text, path, (uint8_t *)text + AUTH_KEY_FILE_MAX + 1, &id, err);
    sodium_free(text); /* wipes */
    if (st == GP_OK && (st = load_cert(id, path, err)) != GP_OK) {
        auth_identity_free(id);
        return st;
    }
    if (st == GP_OK)
        *out = id;
    return st;
}
