/* cmd_revoke.c - gpkey revoke and verify: what is not trusted any more, and what is. */
#include "gpkey.h"

#include "gp/clock.h"
#include "gp/num.h"
#include "gp/output.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const REVOKE_USAGE[] = {"FILE|SERIAL... --by FILE --list FILE [--key]", NULL};
static const char *const VERIFY_USAGE[] = {"FILE.crt... --trust FILE", NULL};

static const cli_opt REVOKE_OPTS[] = {
    {"by", 0, CLI_STRING, offsetof(gpkey_values, by), "FILE", NULL, "key file of the fleet",
     "Options", NULL, CLI_FILE},
    {"list", 0, CLI_STRING, offsetof(gpkey_values, list), "FILE", NULL,
     "revocation list to make or add to; programs read trusted_keys.revoked beside trusted_keys",
     NULL, NULL, CLI_FILE},
    {"key", 0, CLI_BOOL, offsetof(gpkey_values, by_key), NULL, NULL,
     "of a certificate, too, revoke the key, with all certificates that it has or gets", NULL, NULL,
     0},
    {0},
};
static const cli_opt VERIFY_OPTS[] = {
    {"trust", 0, CLI_STRING, offsetof(gpkey_values, trust), "FILE", NULL,
     "trusted_keys file with the fleet's key (its .revoked list is read too)", "Options", NULL,
     CLI_FILE},
    {0},
};

/* A certificate (by serial, or by_key its key), a key or .pub file (by key), or a serial number in
 * hex. */
static gp_status what_to_revoke(const char *arg, int by_key, auth_revoked *r, gp_err *err)
{
    auth_chain ch;
    auth_cert c;
    auth_peer p;
    int secret;
    *r = (auth_revoked){.type = AUTH_REVOKED_SERIAL};
    if (gp_unhex(arg, strlen(arg), r->id, AUTH_SERIAL))
        return by_key
                   ? gp_fail(err, GP_EINVAL, 0,
                             "--key: %s is a serial number; expected a .crt, .pub or key file", arg)
                   : GP_OK;
    if (auth_chain_load(arg, &ch, NULL) == GP_OK) {
        GP_TRY(auth_cert_parse(ch.der[0], ch.len[0], &c, err));
        if (by_key)
            r->type = AUTH_REVOKED_KEY;
        memcpy(r->id, by_key ? c.sign_pk : c.serial, by_key ? AUTH_SIGN_PK : AUTH_SERIAL);
        return GP_OK;
    }
    GP_TRY(gpkey_read_public(arg, &p, &secret, err));
    r->type = AUTH_REVOKED_KEY;
    memcpy(r->id, p.sign_pk, AUTH_SIGN_PK);
    return GP_OK;
}

typedef struct wanted {
    const uint8_t *fleet;
    auth_revlist *l;
    gp_buf *others;
} wanted;

static gp_status on_list(void *ctx, const uint8_t *bytes, size_t len, gp_err *err)
{
    wanted *w = ctx;
    auth_revlist l = {0};
    GP_TRY(auth_revlist_parse(bytes, len, &l, err));
    if (memcmp(l.fleet, w->fleet, AUTH_SIGN_PK) != 0) {
        auth_revlist_text(bytes, len, w->others);
    } else if (l.number > w->l->number) {
        auth_revlist old = *w->l;
        *w->l = l;
        l = old;
    }
    auth_revlist_free(&l);
    return GP_OK;
}

gp_status gpkey_load_list(const char *path, const uint8_t fleet[AUTH_SIGN_PK], auth_revlist *l,
                          gp_buf *others, gp_err *err)
{
    wanted w = {fleet, l, others};
    gp_err why = {0};
    gp_status st = auth_revlist_each(path, on_list, &w, &why);
    if (st == GP_ENOTFOUND)
        return GP_OK; /* the first */
    if (st != GP_OK)
        *err = why;
    return st;
}

static gp_status write_list(const char *path, auth_revlist *l, const gp_buf *others,
                            const auth_identity *fleet, gp_err *err)
{
    gp_buf bytes = {0}, text = {0};
    gp_status st = auth_revlist_sign(l, fleet, &bytes, err);
    if (st == GP_OK) {
        auth_revlist_text(bytes.data, bytes.len, &text);
        gp_buf_add(&text, others->data, others->len);
        st = text.failed || others->failed ? gp_fail(err, GP_ENOMEM, 0, "out of memory")
                                           : gp_output_write(path, 0644, text.data, text.len, err);
    }
    gp_buf_free(&bytes);
    gp_buf_free(&text);
    return st;
}

static int revoke(void *values, const cli_line *line)
{
    const gpkey_values *v = values;
    gp_err err = {0};
    auth_identity *fleet = NULL;
    auth_revlist l = {0};
    gp_buf others = {0};
    size_t serials = 0;
    if (!line->n_words || !v->by || !*v->by || !v->list || !*v->list)
        return gpkey_usage(line, "revoke: expected what to revoke, --by FLEET.key and --list FILE");
    gp_status st = auth_identity_load(v->by, &fleet, &err);
    if (st == GP_OK)
        st = gpkey_load_list(v->list, auth_identity_sign_pk(fleet), &l, &others, &err);
    if (st == GP_OK && !l.number && others.len)
        st = gp_fail(&err, GP_EINVAL, 0, "%s is the list of another fleet", v->list);
    for (size_t i = 0; st == GP_OK && i < line->n_words; i++) {
        auth_revoked r;
        st = what_to_revoke(line->words[i], v->by_key, &r, &err);
        if (st == GP_OK && r.type == AUTH_REVOKED_SERIAL)
            serials++;
        if (st == GP_OK && (st = auth_revlist_add(&l, &r, &err)) == GP_EEXIST)
            st = GP_OK; /* asking twice is fine */
    }
    if (st == GP_OK) {
        l.number++;
        l.issued_s = gp_wall_s();
        st = write_list(v->list, &l, &others, fleet, &err);
    }
    if (st == GP_OK && !v->quiet)
        printf("%s: number %llu, %zu entries\n"
               "Put it beside the trusted_keys file of one program (as trusted_keys.revoked) and "
               "let it "
               "reload.\n%s",
               v->list, (unsigned long long)l.number, l.n,
               serials ? "Newer certificates of the same key stay good; to end them all: --key, or "
                         "the .pub file.\n"
                       : "");
    auth_revlist_free(&l);
    gp_buf_free(&others);
    auth_identity_free(fleet);
    return st == GP_OK ? 0 : gpkey_fail(&err);
}

/* When the chain ends: the earliest end of its certificates, as a date. */
static const char *chain_end(const auth_chain *ch, char out[11])
{
    time_t end = 0;
    struct tm tm;
    for (size_t i = 0; i < ch->n; i++) {
        auth_cert c;
        if (auth_cert_parse(ch->der[i], ch->len[i], &c, NULL) == GP_OK &&
            (!i || c.not_after_s < end))
            end = (time_t)c.not_after_s;
    }
    gmtime_r(&end, &tm);
    strftime(out, 11, "%Y-%m-%d", &tm);
    return out;
}

static int verify(void *values, const cli_line *line)
{
    const gpkey_values *v = values;
    auth_trust *t = NULL;
    gp_err err = {0};
    int rc = 0;
    if (!line->n_words || !v->trust || !*v->trust)
        return gpkey_usage(line, "verify: expected certificates and --trust FILE");
    gp_status st = auth_trust_new(&t, &err);
    if (st == GP_OK)
        st = auth_trust_load(t, v->trust, &err);
    if (st != GP_OK)
        rc = gpkey_fail(&err);
    for (size_t i = 0; st == GP_OK && i < line->n_words; i++) {
        auth_chain ch;
        auth_peer p = {0};
        char end[11] = "";
        gp_err why = {0};
        gp_status ok = auth_chain_load(line->words[i], &ch, &why);
        if (ok == GP_OK)
            ok = auth_trust_learn(t, &ch, gp_wall_s(), &p, &why);
        if (ok == GP_OK && !v->quiet)
            printf("%s: good: %s %s, until %s\n", line->words[i], auth_kind_name(p.kind), p.name,
                   chain_end(&ch, end));
        else if (ok != GP_OK)
            rc = gpkey_fail(&why);
    }
    auth_trust_free(t);
    return rc;
}

const cli_cmd gpkey_revoke = {
    .name = "revoke",
    .usage = REVOKE_USAGE,
    .summary = "End the trust in certificates or keys",
    .about =
        "Add to the fleet's revocation list: a .pub or key file (the key itself, with all its\n"
        "certificates), or a certificate (its serial number; a renewed one stays good, so for a\n"
        "lost host say --key). The list's number grows; programs that meet exchange the newer\n"
        "list by themselves.\n\n"
        "Examples:\n"
        "  gpkey revoke alice.pub --by acme.key --list /etc/fleetprobe/trusted_keys.revoked\n"
        "  gpkey revoke --key fw-1.crt --by acme.key --list trusted_keys.revoked",
    .opts = REVOKE_OPTS,
    .run = revoke,
};
const cli_cmd gpkey_verify = {
    .name = "verify",
    .usage = VERIFY_USAGE,
    .summary = "Check certificates as the programs would",
    .about = "Check signatures, validity, issuer and revocation of certificates now. The exit code "
             "is 1\n"
             "when one is not good.\n\n"
             "Example:\n"
             "  gpkey verify fw-1.crt --trust /etc/fleetprobe/trusted_keys",
    .opts = VERIFY_OPTS,
    .run = verify,
};
