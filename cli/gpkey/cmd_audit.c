/* cmd_audit.c - gpkey audit verify: is an audit log whole, in order and signed? */
#include "auth/audit.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "gpkey.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const USAGE[] = {"COMMAND", NULL};
static const char *const VERIFY_USAGE[] = {"FILE... [--key FILE] [--head FILE]", NULL};

static const cli_opt OPTS[] = {
    {"key", 0, CLI_STRING, offsetof(gpkey_values, key), "FILE", NULL,
     "who must have signed: .pub, .crt or key file of the daemon (default: whoever signed the "
     "first "
     "checkpoint)",
     "Options", NULL, CLI_FILE | CLI_PERSISTENT},
    {"head", 0, CLI_STRING, offsetof(gpkey_values, head), "FILE", NULL,
     "checkpoint that the log must contain (default: the last FILE with .head)", NULL, NULL,
     CLI_FILE | CLI_PERSISTENT},
    {0},
};

/* The public key that a .crt, .pub or key file names. */
static gp_status read_key(const char *path, uint8_t key[AUTH_SIGN_PK], gp_err *err)
{
    auth_chain chain;
    auth_cert c;
    auth_peer p;
    int secret;
    size_t n = strlen(path);
    if (n > 4 && strcmp(path + n - 4, ".crt") == 0) {
        GP_TRY(auth_chain_load(path, &chain, err));
        GP_TRY(auth_cert_parse(chain.der[0], chain.len[0], &c, err));
        memcpy(key, c.sign_pk, AUTH_SIGN_PK);
        return GP_OK;
    }
    GP_TRY(gpkey_read_public(path, &p, &secret, err));
    memcpy(key, p.sign_pk, AUTH_SIGN_PK);
    return GP_OK;
}

typedef struct verify {
    auth_audit_check check;
    auth_audit_line head;
    int has_head, head_seen;
} verify;

static gp_status load_head(const char *path, int must, verify *v, gp_err *err)
{
    gp_buf b = {0};
    gp_status st = gp_read_file(AT_FDCWD, path, AUTH_AUDIT_LINE_MAX, &b, err);
    if (st == GP_ENOTFOUND && !must) {
        *err = (gp_err){0};
        return GP_OK;
    }
    /* Without a key to compare, its own: that it fits the log is checked below. */
    auth_audit_line own;
    size_t n = b.len;
    while (n && b.data[n - 1] == '\n')
        n--;
    if (st == GP_OK)
        st = auth_audit_line_parse((const char *)b.data, n, &own, err);
    if (st == GP_OK)
        st = auth_audit_check_head((const char *)b.data, n,
                                   v->check.want_key ? v->check.want_key : own.key, &v->head, err);
    gp_buf_free(&b);
    if (st != GP_OK)
        return gp_fail_context(err, st, "%s", path);
    v->has_head = 1;
    return GP_OK;
}

static gp_status check_line(verify *v, const char *path, uint64_t no, const char *line, size_t len,
                            gp_err *err)
{
    gp_status st = len && line[len - 1] == '\n'
                       ? auth_audit_check_line(&v->check, line, len - 1, err)
                       : gp_fail(err, GP_ECORRUPT, 0, "the line is not complete");
    if (st == GP_OK && v->has_head && v->head.seq == v->check.last_seq) {
        v->head_seen = 1;
        if (memcmp(v->head.hash, v->check.hash, AUTH_HASH) != 0)
            st = gp_fail(err, GP_ECORRUPT, 0, "it is not the line that the checkpoint names");
    }
    return st == GP_OK ? st : gp_fail_context(err, st, "%s:%" PRIu64, path, no);
}

static gp_status check_file(verify *v, const char *path, gp_err *err)
{
    uint64_t no = 0;
    GP_CLEANUP(gp_freep) char *line = gp_alloc(1, AUTH_AUDIT_LINE_MAX + 1);
    FILE *f = line ? fopen(path, "re") : NULL;
    if (!f)
        return gp_fail(err, line ? GP_EIO : GP_ENOMEM, errno, "%s", path);
    gp_status st = GP_OK;
    while (st == GP_OK && fgets(line, AUTH_AUDIT_LINE_MAX + 1, f))
        st = check_line(v, path, ++no, line, strlen(line), err);
    if (st == GP_OK && ferror(f))
        st = gp_fail(err, GP_EIO, errno, "%s", path);
    (void)fclose(f);
    return st;
}

/* The end of the log is where the checkpoint says it is, or behind it. */
static gp_status check_end(const verify *v, const char *path, gp_err *err)
{
    const auth_audit_check *c = &v->check;
    if (c->lines == 0)
        return gp_fail(err, GP_ECORRUPT, 0, "%s: empty", path);
    if (!v->has_head || v->head_seen)
        return GP_OK;
    if (v->head.seq > c->last_seq)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "%s: truncated: it ends with number %" PRIu64 ", but number %" PRIu64
                       " was signed at %s",
                       path, c->last_seq, v->head.seq, v->head.time);
    return gp_fail(err, GP_ECORRUPT, 0,
                   "%s: it begins behind the checkpoint of %s; add the older files", path,
                   v->head.time);
}

static int run_verify(void *values, const cli_line *line)
{
    const gpkey_values *o = values;
    verify v = {0};
    gp_err err = {0};
    uint8_t key[AUTH_SIGN_PK];
    char hex[2 * AUTH_SIGN_PK + 1];
    if (!line->n_words)
        return gpkey_usage(line, "audit verify: expected the FILEs of a log, oldest first");
    const char *last = line->words[line->n_words - 1];
    gp_status st = GP_OK;
    if (o->key && *o->key) {
        st = read_key(o->key, key, &err);
        v.check.want_key = key;
    }
    int named = o->head && *o->head;
    GP_CLEANUP(gp_freep) char *head = named ? gp_strdup(o->head) : gp_asprintf("%s.head", last);
    if (st == GP_OK && !head)
        st = gp_fail(&err, GP_ENOMEM, 0, "out of memory");
    if (st == GP_OK)
        st = load_head(head, named, &v, &err);
    for (size_t i = 0; st == GP_OK && i < line->n_words; i++)
        st = check_file(&v, line->words[i], &err);
    if (st == GP_OK)
        st = check_end(&v, last, &err);
    if (st != GP_OK)
        return gpkey_fail(&err);
    if (o->quiet)
        return 0;
    const auth_audit_check *c = &v.check;
    printf("good: %" PRIu64 " lines, number %" PRIu64 " (%s) to %" PRIu64 " (%s)\n", c->lines,
           c->first_seq, c->first_time, c->last_seq, c->last_time);
    gp_hex(c->key, AUTH_SIGN_PK, hex);
    if (c->checkpoints)
        printf("%" PRIu64 " checkpoints signed by %s%s\n", c->checkpoints, hex,
               c->want_key ? "" : " (compare it, or give --key)");
    if (c->not_signed)
        printf("%" PRIu64 " lines after the last checkpoint are chained, not signed yet\n",
               c->not_signed);
    if (!v.has_head)
        printf("no %s: lines cut off at the end would not show\n", head);
    return 0;
}

static const cli_cmd VERIFY = {
    .name = "verify",
    .usage = VERIFY_USAGE,
    .summary = "Check the chain and the signatures of an audit log",
    .about =
        "Check that no line of an audit log was changed, added, moved or removed: each line holds\n"
        "the hash of itself and the line before, and checkpoints are signed with the daemon's\n"
        "key. The first bad line is named and the exit code is 1. FILE.head holds the last\n"
        "checkpoint; a log that ends before it was truncated. Keep copies of it elsewhere.\n\n"
        "Examples:\n"
        "  gpkey audit verify /var/log/fleetprobe/audit.log --key agent.pub\n"
        "  gpkey audit verify audit.log.2 audit.log.1 audit.log --head yesterday.head",
    .run = run_verify,
};

static const cli_cmd *const SUBS[] = {&VERIFY, NULL};

static int run(void *values, const cli_line *line)
{
    (void)values;
    return gpkey_usage(line, "audit: expected the command verify");
}

const cli_cmd gpkey_audit = {
    .name = "audit",
    .usage = USAGE,
    .summary = "Check audit logs of agents and aggregators",
    .opts = OPTS,
    .subs = SUBS,
    .run = run,
};
