/* keyfile.c - key files on disk: one text line, private to its owner, never overwritten. */
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[] = "fleetprobe-key-v1";

gp_status auth_identity_save(const auth_identity *id, const char *path, gp_err *err)
{
    char hex[2 * AUTH_SEED + 1];
    char line[sizeof MAGIC + sizeof hex + AUTH_NAME_MAX + 32];
    gp_hex(id->seed, AUTH_SEED, hex);
    int n = snprintf(line, sizeof line, "%s %s %s %s\n", MAGIC, auth_kind_name(id->kind), id->name,
                     hex);
    sodium_memzero(hex, sizeof hex);

    GP_CLEANUP(gp_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    gp_status st;
    if (fd < 0)
        st = errno == EEXIST ? gp_fail(err, GP_EEXIST, 0,
                                       "%s exists already; a key file is never overwritten", path)
                             : gp_fail(err, GP_EIO, errno, "cannot create key file %s", path);
    else if (fchmod(fd, 0600) != 0) /* the umask may have taken bits from us */
        st = gp_fail(err, GP_EIO, errno, "cannot set the mode of %s", path);
    else
        st = gp_write_full(fd, line, (size_t)n, err);
    if (st == GP_OK && fsync(fd) != 0)
        st = gp_fail(err, GP_EIO, errno, "cannot write key file %s", path);
    if (st != GP_OK && fd >= 0)
        unlink(path); /* ours: O_EXCL made it */
    sodium_memzero(line, sizeof line);
    return st;
}

/* Refuse what others could read or exchange: wrong type, group or other permission bits. */
static gp_status check_file(int fd, const char *path, gp_err *err)
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
static gp_status parse_line(char *text, const char *path, auth_identity **out, gp_err *err)
{
    char *save = NULL;
    const char *magic = strtok_r(text, " \t\r\n", &save);
    const char *kind = strtok_r(NULL, " \t\r\n", &save);
    const char *name = strtok_r(NULL, " \t\r\n", &save);
    const char *hex = strtok_r(NULL, " \t\r\n", &save);
    uint8_t seed[AUTH_SEED];
    if (!magic || strcmp(magic, MAGIC) != 0)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "%s is no key file: expected a line that starts with %s", path, MAGIC);
    if (!hex || strtok_r(NULL, " \t\r\n", &save))
        return gp_fail(err, GP_ECORRUPT, 0, "%s: expected '%s KIND NAME SEED' in one line", path,
                       MAGIC);
    int k = auth_kind_by_name(kind);
    if (k < 0)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "%s: kind '%s'; expected agent, aggregator, gateway, user, issuer or fleet",
                       path, kind);
    if (!gp_unhex(hex, strlen(hex), seed, sizeof seed))
        return gp_fail(err, GP_ECORRUPT, 0, "%s: the seed is not 64 hexadecimal digits", path);
    gp_status st = auth_identity_from_seed((auth_kind)k, name, seed, out, err);
    sodium_memzero(seed, sizeof seed);
    return st;
}

/* "x.key" -> "x.crt"; appended when there is no ".key". */
static char *cert_path(const char *path)
{
    size_t n = strlen(path);
    if (n > 4 && strcmp(path + n - 4, ".key") == 0)
        n -= 4;
    return gp_asprintf("%.*s.crt", (int)n, path);
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
    return st;
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
    GP_TRY(check_file(fd, path, err));

    char text[AUTH_KEY_FILE_MAX + 1];
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
        st = parse_line(text, path, &id, err);
    sodium_memzero(text, sizeof text);
    if (st == GP_OK && (st = load_cert(id, path, err)) != GP_OK) {
        auth_identity_free(id);
        return st;
    }
    if (st == GP_OK)
        *out = id;
    return st;
}
