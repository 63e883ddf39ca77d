/* cmd_show.c - gpkey show: what a key, certificate or revocation list says. */
#include "gp/num.h"
#include "gpkey.h"

#include <stdio.h>

static const char *const USAGE[] = {"FILE...", NULL};

static void print_peer(const char *path, const auth_peer *p, gpkey_file what)
{
    static const char *const names[] = {"public key", "secret key", "certificate request"};
    char hex[2 * AUTH_SIGN_PK + 1];
    gp_buf roles = {0};
    gp_hex(p->sign_pk, AUTH_SIGN_PK, hex);
    auth_roles_format(p->roles, &roles);
    printf("%s\n  what        %s\n  kind        %s\n  name        %s\n  public key  %s\n", path,
           names[what], auth_kind_name(p->kind), p->name, hex);
    gp_hex(p->dh_pk, AUTH_DH, hex);
    printf("  channel key %s\n", hex);
    if (what != GPKEY_KEY)
        printf("  roles       %s\n  hosts       %s\n  interfaces  %s\n", gp_buf_str(&roles),
               p->host_globs, p->iface_globs);
    gp_buf_free(&roles);
}

static gp_status print_list(void *ctx, const uint8_t *bytes, size_t len, gp_err *err)
{
    auth_revlist l = {0};
    char hex[2 * AUTH_SIGN_PK + 1];
    GP_TRY(auth_revlist_parse(bytes, len, &l, err));
    gp_hex(l.fleet, AUTH_SIGN_PK, hex);
    printf("%s\n  what        revocation list\n  fleet key   %s\n  number      %llu\n",
           (const char *)ctx, hex, (unsigned long long)l.number);
    gpkey_print_time("issued", l.issued_s);
    for (size_t i = 0; i < l.n; i++) {
        int serial = l.entries[i].type == AUTH_REVOKED_SERIAL;
        gp_hex(l.entries[i].id, serial ? AUTH_SERIAL : AUTH_SIGN_PK, hex);
        printf("  %-11s %s\n", serial ? "serial" : "public key", hex);
    }
    auth_revlist_free(&l);
    return GP_OK;
}

/* Revocation lists, of one fleet each; 0 when the file has none. */
static int print_lists(const char *path)
{
    union {
        const char *c;
        void *m;
    } ctx = {.c = path};
    return auth_revlist_each(path, print_list, ctx.m, NULL) == GP_OK;
}

static int run(void *values, const cli_line *line)
{
    (void)values;
    int rc = 0;
    if (!line->n_words)
        return gpkey_usage(line, "show: expected a key file, .pub file, request, certificate or "
                                 "revocation list");
    for (size_t i = 0; i < line->n_words; i++) {
        gp_err err = {0};
        auth_peer p;
        auth_chain ch;
        auth_cert c;
        gpkey_file what;
        if (auth_chain_load(line->words[i], &ch, NULL) == GP_OK) {
            for (size_t k = 0; k < ch.n; k++) {
                printf("%s\n", line->words[i]);
                if (auth_cert_parse(ch.der[k], ch.len[k], &c, &err) == GP_OK)
                    gpkey_print_cert(&c);
            }
            continue;
        }
        if (print_lists(line->words[i]))
            continue;
        if (gpkey_read_request(line->words[i], &p, &what, &err) == GP_OK)
            print_peer(line->words[i], &p, what);
        else
            rc = gpkey_fail(&err);
    }
    return rc;
}

const cli_cmd gpkey_show = {
    .name = "show",
    .usage = USAGE,
    .summary = "Show what a key file holds, without its secret",
    .about = "Show kind, name and public keys of key files and .pub files, and what\n"
             "requests, certificates and revocation lists say. Secrets are not shown.\n\n"
             "Example:\n"
             "  gpkey show /etc/fleetprobe/agent.key",
    .run = run,
};
