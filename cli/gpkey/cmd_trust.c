/* cmd_trust.c - gpkey trust: lines for a trusted_keys file, printed or put in. */
#include "gp/io.h"
#include "gp/output.h"
#include "gpkey.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char *const USAGE[] = {"FILE... [options]", NULL};

static const cli_opt OPTS[] = {
    {"into", 0, CLI_STRING, offsetof(gpkey_values, into), "FILE", NULL,
     "put the lines into this trusted_keys file (made if needed; a line of the same key is "
     "replaced)",
     "Where", NULL, CLI_FILE},
    {"roles", 0, CLI_STRING, offsetof(gpkey_values, roles), "LIST", NULL,
     "query, live, status, config.read, config.write, relay; or none (default: by kind)",
     "What the key may do", NULL, 0},
    {"hosts", 0, CLI_STRING, offsetof(gpkey_values, hosts), "GLOBS", NULL,
     "hosts it may ask about, such as 'fw*,edge-?'", NULL, NULL, 0},
    {"ifaces", 0, CLI_STRING, offsetof(gpkey_values, ifaces), "GLOBS", NULL,
     "interfaces it may ask about", NULL, NULL, 0},
    {"max-span", 0, CLI_STRING, offsetof(gpkey_values, max_span), "TIME", NULL,
     "longest time range of a query, such as 31d or 12h", NULL, NULL, 0},
    {"not-before", 0, CLI_STRING, offsetof(gpkey_values, not_before), "TIME", NULL,
     "valid from, such as 2026-01-31 or 2026-01-31T10:00:00Z", NULL, NULL, 0},
    {"not-after", 0, CLI_STRING, offsetof(gpkey_values, not_after), "TIME", NULL, "valid until",
     NULL, NULL, 0},
    {0},
};

enum { FILE_MAX = 32 << 20 };

/* Copy text without the line of this key. */
static void copy_others(const char *text, size_t len, const auth_peer *p, gp_buf *out)
{
    for (size_t at = 0; at < len;) {
        const char *nl = memchr(text + at, '\n', len - at);
        size_t n = nl ? (size_t)(nl - text) - at : len - at;
        auth_peer other;
        int same = auth_entry_parse(text + at, n, &other, NULL) == GP_OK &&
                   memcmp(other.sign_pk, p->sign_pk, AUTH_SIGN_PK) == 0;
        if (!same) {
            gp_buf_add(out, text + at, n);
            gp_buf_addc(out, '\n');
        }
        at += n + 1;
    }
}

static gp_status put_into(const char *path, const auth_peer *p, gp_err *err)
{
    gp_buf old = {0}, fresh = {0};
    auth_trust *check = NULL;
    gp_err quiet = {0};
    gp_status st = gp_read_file(AT_FDCWD, path, FILE_MAX, &old, &quiet);
    if (st == GP_ENOTFOUND) {
        gp_buf_adds(&fresh,
                    "# trusted_keys: kind name public-key [option=value]...; see gpkey trust "
                    "--help\n");
        st = GP_OK;
    } else if (st != GP_OK && err) {
        *err = quiet;
    }
    if (st == GP_OK) {
        copy_others((const char *)old.data, old.len, p, &fresh);
        auth_entry_format(p, &fresh);
        st = fresh.failed ? gp_fail(err, GP_ENOMEM, 0, "out of memory")
                          : auth_trust_new(&check, err);
    }
    /* Never make a file that the daemons would refuse. */
    if (st == GP_OK && (st = auth_trust_parse(check, (char *)fresh.data, fresh.len, err)) != GP_OK)
        gp_fail_context(err, st, "%s", path);
    if (st == GP_OK)
        st = gp_output_write(path, 0644, fresh.data, fresh.len, err);
    auth_trust_free(check);
    gp_buf_free(&old);
    gp_buf_free(&fresh);
    return st;
}

static int run(void *values, const cli_line *line)
{
    const gpkey_values *v = values;
    if (!line->n_words)
        return gpkey_usage(line, "trust: expected .pub files or key files");
    for (size_t i = 0; i < line->n_words; i++) {
        gp_err err = {0};
        auth_peer p;
        int secret;
        gp_status st = gpkey_read_public(line->words[i], &p, &secret, &err);
        if (st == GP_OK)
            st = gpkey_with_options(v, &p, &err);
        if (st == GP_OK && v->into && *v->into) {
            st = put_into(v->into, &p, &err);
            if (st == GP_OK && !v->quiet)
                printf("%s: %s %s\n", v->into, auth_kind_name(p.kind), p.name);
        } else if (st == GP_OK) {
            gp_buf out = {0};
            auth_entry_format(&p, &out);
            fputs(gp_buf_str(&out), stdout);
            gp_buf_free(&out);
        }
        if (st != GP_OK)
            return gpkey_fail(&err);
    }
    return 0;
}

const cli_cmd gpkey_trust = {
    .name = "trust",
    .usage = USAGE,
    .summary = "Print or add the trusted_keys line of a key",
    .about =
        "Print the trusted_keys lines of .pub files (or key files), or put them into a file.\n\n"
        "Each program reads its own trusted_keys file: an agent's names the aggregators and users\n"
        "that may ask it; an aggregator's names its agents and users; a user's names the agents\n"
        "and aggregators to talk to.\n\n"
        "Examples:\n"
        "  gpkey trust agg.pub --into /etc/fleetprobe/trusted_keys\n"
        "  gpkey trust alice.pub --roles query,status --hosts 'fw*' --max-span 31d",
    .opts = OPTS,
    .run = run,
};
