/* cmd_issue.c - gpkey issue, sign-csr, request, renew: certificates from a fleet key or issuing
 * key. */
#include "gpkey.h"

#include "gp/clock.h"
#include "gp/output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const ISSUE_USAGE[] = {"KIND NAME --by FILE [options]", NULL};
static const char *const SIGN_USAGE[] = {"FILE... --by FILE [options]", NULL};
static const char *const REQUEST_USAGE[] = {"KEYFILE [options]", NULL};
static const char *const RENEW_USAGE[] = {"FILE.crt... --by FILE [--days N] [--list FILE]", NULL};

#define BY                                                                                         \
    {                                                                                              \
        "by", 0, CLI_STRING, offsetof(gpkey_values, by), "FILE", NULL,                             \
            "key file of the fleet, or an issuing key with its .crt beside it", "Options", NULL,   \
            CLI_FILE                                                                               \
    }
#define DAYS                                                                                       \
    {                                                                                              \
        "days", 0, CLI_U64, offsetof(gpkey_values, days), "N", NULL,                               \
            "validity in days (default 365, or the most an issuing key may give)", NULL, NULL, 0   \
    }
#define SCOPES                                                                                     \
    {"roles",                                                                                      \
     0,                                                                                            \
     CLI_STRING,                                                                                   \
     offsetof(gpkey_values, roles),                                                                \
     "LIST",                                                                                       \
     NULL,                                                                                         \
     "query, live, status, config.read, config.write, relay; or none (default: by kind)",          \
     "What the holder may do",                                                                     \
     NULL,                                                                                         \
     0},                                                                                           \
        {"hosts",                                                                                  \
         0,                                                                                        \
         CLI_STRING,                                                                               \
         offsetof(gpkey_values, hosts),                                                            \
         "GLOBS",                                                                                  \
         NULL,                                                                                     \
         "hosts the holder may ask about, such as 'fw*,edge-?'",                                   \
         NULL,                                                                                     \
         NULL,                                                                                     \
         0},                                                                                       \
        {"ifaces",                                                                                 \
         0,                                                                                        \
         CLI_STRING,                                                                               \
         offsetof(gpkey_values, ifaces),                                                           \
         "GLOBS",                                                                                  \
         NULL,                                                                                     \
         "interfaces the holder may ask about",                                                    \
         NULL,                                                                                     \
         NULL,                                                                                     \
         0},                                                                                       \
    {                                                                                              \
        "max-span", 0, CLI_STRING, offsetof(gpkey_values, max_span), "TIME", NULL,                 \
            "longest time range of a query, such as 31d or 12h", NULL, NULL, 0                     \
    }

static const cli_opt ISSUE_OPTS[] = {
    BY,
    {"out", 'o', CLI_STRING, offsetof(gpkey_values, out), "FILE", NULL,
     "key file to write (default NAME.key); beside it go the certificate (.crt) and the public key "
     "(.pub)",
     NULL, NULL, CLI_FILE},
    DAYS,
    {"seal", 0, CLI_BOOL, offsetof(gpkey_values, seal), NULL, NULL,
     "put the key under a pass phrase at once", NULL, NULL, 0},
    SCOPES,
    {"may-sign", 0, CLI_STRING, offsetof(gpkey_values, kinds), "KINDS", NULL,
     "issuing keys: kinds of certificates it may sign (default agent,user)", "Issuing keys", NULL,
     0},
    {"max-days", 0, CLI_U64, offsetof(gpkey_values, max_days), "N", NULL,
     "issuing keys: longest validity it may give", NULL, NULL, 0},
    {0},
};
static const cli_opt SIGN_OPTS[] = {
    BY,
    {"out", 'o', CLI_STRING, offsetof(gpkey_values, out), "FILE", NULL,
     "certificate to write (default: beside the request, .crt)", NULL, NULL, CLI_FILE},
    DAYS,
    SCOPES,
    {0},
};
static const cli_opt REQUEST_OPTS[] = {
    {"out", 'o', CLI_STRING, offsetof(gpkey_values, out), "FILE", NULL,
     "request to write (default: beside the key, .csr)", "Options", NULL, CLI_FILE},
    SCOPES,
    {0},
};
static const cli_opt RENEW_OPTS[] = {
    BY,
    DAYS,
    {"list", 0, CLI_STRING, offsetof(gpkey_values, list), "FILE", NULL,
     "revocation list; what it names is not renewed (default: trusted_keys.revoked beside the "
     "certificate and beside the key of --by)",
     NULL, NULL, CLI_FILE},
    {0},
};

static int need_by(const gpkey_values *v, const cli_line *line)
{
    if (v->days > GPKEY_MAX_DAYS || v->max_days > GPKEY_MAX_DAYS)
        return gpkey_usage(line, "%s: expected at most %d days", line->cmd->name, GPKEY_MAX_DAYS);
    if (v->by && *v->by)
        return 0;
    return gpkey_usage(line, "%s: expected --by FILE, the key of the fleet or an issuing key",
                       line->cmd->name);
}

/* "agent,user" to bits. */
static gp_status parse_kinds(const char *s, uint32_t *out, gp_err *err)
{
    uint32_t bits = 0;
    while (*s) {
        char word[16];
        size_t n = strcspn(s, ",");
        snprintf(word, sizeof word, "%.*s", (int)(n < 15 ? n : 15), s);
        int k = auth_kind_by_name(word);
        if (k < AUTH_KIND_AGENT || k > AUTH_KIND_USER)
            return gp_fail(err, GP_EINVAL, 0,
                           "--may-sign: expected a list of agent, aggregator, gateway, user");
        bits |= 1u << k;
        s += n + (s[n] == ',');
    }
    *out = bits;
    return GP_OK;
}

/* Sign what p describes and write it to cert_path. */
static gp_status certify(gpkey_values *v, const auth_peer *p, int issuer, const char *cert_path,
                         gp_err *err)
{
    auth_cert c;
    auth_chain ch;
    GP_TRY(gpkey_default_days(v, err));
    gpkey_cert_from_peer(p, v->days, &c);
    if (issuer) {
        c.kind = AUTH_KIND_ISSUER;
        GP_TRY(parse_kinds(v->kinds && *v->kinds ? v->kinds : "agent,user", &c.kinds, err));
        if (!v->roles || !*v->roles) /* what those have by default, or it could not sign them */
            for (int k = AUTH_KIND_AGENT; k <= AUTH_KIND_USER; k++)
                c.roles |= c.kinds >> k & 1 ? auth_roles_default((auth_kind)k) : 0;
        c.max_validity_s = (int64_t)v->max_days * 86400;
    }
    GP_TRY(gpkey_sign(v, &c, &ch, err));
    GP_TRY(gpkey_write_chain(cert_path, &ch, err));
    if (!v->quiet) {
        printf("%s\n", cert_path);
        gpkey_print_cert(&c);
    }
    return GP_OK;
}

static int issue(void *values, const cli_line *line)
{
    gpkey_values *v = values;
    gp_err err = {0};
    auth_identity *id = NULL;
    auth_peer p = {.host_globs = "*", .iface_globs = "*"};
    gp_buf key = {0}, crt = {0}, pub = {0};
    if (line->n_words != 2)
        return gpkey_usage(line, "issue: expected KIND and NAME, for example: agent fw-1");
    int kind = auth_kind_by_name(line->words[0]);
    if (kind < 0 || kind == AUTH_KIND_FLEET)
        return gpkey_usage(line,
                           "issue: kind '%s'; expected agent, aggregator, gateway, user or "
                           "issuer",
                           line->words[0]);
    if (need_by(v, line))
        return 2;
    gp_status st = auth_identity_new((auth_kind)kind, line->words[1], &id, &err);
    if (st == GP_OK) {
        /* Options are parsed as those of a line of a kind that trusted_keys may have. */
        p.kind = kind == AUTH_KIND_ISSUER ? AUTH_KIND_USER : (auth_kind)kind;
        memcpy(p.sign_pk, auth_identity_sign_pk(id), AUTH_SIGN_PK);
        snprintf(p.name, sizeof p.name, "%s", line->words[1]);
        p.roles = kind == AUTH_KIND_ISSUER ? 0 : auth_roles_default(p.kind);
        st = kind == AUTH_KIND_ISSUER ? GP_OK : gpkey_limits_of_signer(v, &p, &err);
        if (st == GP_OK)
            st = gpkey_with_options(v, &p, &err);
        gp_buf_printf(&key, v->out && *v->out ? "%s" : "%s.key",
                      v->out && *v->out ? v->out : line->words[1]);
        gpkey_cert_path(gp_buf_str(&key), &crt);
    }
    if (st == GP_OK)
        st = gpkey_save(v, id, gp_buf_str(&key), &err);
    if (st == GP_OK &&
        (st = certify(v, &p, kind == AUTH_KIND_ISSUER, gp_buf_str(&crt), &err)) != GP_OK)
        unlink(gp_buf_str(&key)); /* ours; a key without its certificate helps nobody */
    else if (st == GP_OK && kind != AUTH_KIND_ISSUER) /* what revokes the key when it is lost */
        st = gpkey_write_pub(id, gp_buf_str(&key), &pub, &err);
    if (st == GP_OK && pub.len && !v->quiet)
        printf("%s  keep it: gpkey revoke %s ends the key when it is lost\n", gp_buf_str(&pub),
               gp_buf_str(&pub));
    auth_identity_free(id);
    gp_buf_free(&key);
    gp_buf_free(&crt);
    gp_buf_free(&pub);
    return st == GP_OK ? 0 : gpkey_fail(&err);
}

static int sign_csr(void *values, const cli_line *line)
{
    gpkey_values *v = values;
    if (!line->n_words || (line->n_words > 1 && v->out && *v->out))
        return gpkey_usage(line, "sign-csr: expected requests (one, if --out is given)");
    if (need_by(v, line))
        return 2;
    for (size_t i = 0; i < line->n_words; i++) {
        gp_err err = {0};
        auth_peer p;
        gpkey_file what;
        gp_buf crt = {0};
        gp_status st = gpkey_read_request(line->words[i], &p, &what, &err);
        if (st == GP_OK)
            st = gpkey_limits_of_signer(v, &p, &err);
        if (st == GP_OK)
            st = gpkey_with_options(v, &p, &err);
        if (v->out && *v->out)
            gp_buf_adds(&crt, v->out);
        else
            gpkey_cert_path(line->words[i], &crt);
        if (st == GP_OK)
            st = certify(v, &p, 0, gp_buf_str(&crt), &err);
        gp_buf_free(&crt);
        if (st != GP_OK)
            return gpkey_fail(&err);
    }
    return 0;
}

static int request(void *values, const cli_line *line)
{
    const gpkey_values *v = values;
    gp_err err = {0};
    auth_identity *id = NULL;
    auth_peer p;
    gp_buf entry = {0}, text = {0}, path = {0};
    int secret;
    if (line->n_words != 1)
        return gpkey_usage(line, "request: expected one key file");
    gp_status st = gpkey_read_public(line->words[0], &p, &secret, &err);
    if (st == GP_OK && !secret)
        st = gp_fail(&err, GP_EINVAL, 0, "%s is no key file", line->words[0]);
    if (st == GP_OK)
        st = gpkey_with_options(v, &p, &err);
    if (st == GP_OK)
        st = auth_identity_load(line->words[0], &id, &err);
    if (st == GP_OK) {
        auth_entry_format(&p, &entry);
        const char *e = gp_buf_str(&entry); /* "kind name key options\n" */
        char *opts = e ? strstr(e, " ") : NULL;
        for (int i = 0; i < 2 && opts; i++)
            opts = strstr(opts + 1, " ");
        if (entry.len)
            entry.data[entry.len - 1] = 0;
        st = auth_csr_make(id, opts ? opts + 1 : NULL, &text, &err);
    }
    if (v->out && *v->out)
        gp_buf_adds(&path, v->out);
    else {
        gpkey_cert_path(line->n_words ? line->words[0] : "", &path);
        path.len -= 4;
        gp_buf_adds(&path, ".csr");
    }
    if (st == GP_OK)
        st = gp_output_write(gp_buf_str(&path), 0644, text.data, text.len, &err);
    if (st == GP_OK && !v->quiet)
        printf("%s  for: gpkey sign-csr %s --by FLEET.key\n", gp_buf_str(&path), gp_buf_str(&path));
    auth_identity_free(id);
    gp_buf_free(&entry);
    gp_buf_free(&text);
    gp_buf_free(&path);
    return st == GP_OK ? 0 : gpkey_fail(&err);
}

/* GP_EDENIED when this list is of the certificate's fleet and names it or its key. */
static gp_status not_in_list(const char *list, const auth_cert *c, int must_exist, gp_err *err)
{
    auth_revlist l = {0};
    gp_buf others = {0};
    gp_status st = gpkey_load_list(list, c->fleet, &l, &others, err);
    if (st == GP_OK && must_exist && !l.number && !others.len)
        st = gp_fail(err, GP_ENOTFOUND, 0, "--list %s: no such list", list);
    int in = auth_revlist_has(&l, AUTH_REVOKED_SERIAL, c->serial) ||
             auth_revlist_has(&l, AUTH_REVOKED_KEY, c->sign_pk);
    auth_revlist_free(&l);
    gp_buf_free(&others);
    GP_TRY(st);
    return in ? gp_fail(err, GP_EDENIED, 0,
                        "the certificate of '%s' was revoked (%s); issue a new key", c->name, list)
              : GP_OK;
}

static gp_status not_revoked(const gpkey_values *v, const char *crt, const auth_cert *c,
                             gp_err *err)
{
    if (v->list && *v->list)
        return not_in_list(v->list, c, 1, err);
    const char *beside[] = {crt, v->by};
    gp_status st = GP_OK;
    for (size_t i = 0; st == GP_OK && i < GP_COUNT(beside); i++) {
        gp_buf path = {0};
        if (!beside[i])
            continue;
        const char *slash = strrchr(beside[i], '/');
        gp_buf_add(&path, beside[i], slash ? (size_t)(slash - beside[i]) + 1 : 0);
        gp_buf_adds(&path, "trusted_keys.revoked");
        st = path.failed ? gp_fail(err, GP_ENOMEM, 0, "out of memory")
                         : not_in_list(gp_buf_str(&path), c, 0, err);
        gp_buf_free(&path);
    }
    return st;
}

static int renew(void *values, const cli_line *line)
{
    gpkey_values *v = values;
    if (!line->n_words)
        return gpkey_usage(line, "renew: expected certificates");
    if (need_by(v, line))
        return 2;
    for (size_t i = 0; i < line->n_words; i++) {
        gp_err err = {0};
        auth_chain old;
        auth_cert c;
        auth_peer p;
        gp_status st = auth_chain_load(line->words[i], &old, &err);
        if (st == GP_OK)
            st = auth_cert_parse(old.der[0], old.len[0], &c, &err);
        if (st == GP_OK && c.kind == AUTH_KIND_ISSUER)
            st = gp_fail(&err, GP_EINVAL, 0, "issuing keys are not renewed; issue a new one");
        if (st == GP_OK)
            st = not_revoked(v, line->words[i], &c, &err);
        if (st == GP_OK) {
            auth_cert_peer(&c, &p);
            p.not_before_s = p.not_after_s = 0;
            st = certify(v, &p, 0, line->words[i], &err);
        }
        if (st != GP_OK)
            return gpkey_fail(&err);
    }
    return 0;
}

const cli_cmd gpkey_issue = {
    .name = "issue",
    .usage = ISSUE_USAGE,
    .summary = "Make a key pair with a certificate",
    .about =
        "Make a key and its certificate in one go, and a .pub file: keep that to revoke the key\n"
        "when its holder is lost. Kind issuer makes an issuing key: it can sign certificates of\n"
        "ordinary kinds within its own roles and scopes, so that the fleet's key can stay "
        "offline.\n"
        "Its roles are by default those of the kinds it may sign. What it signs gets its scopes\n"
        "and longest validity unless flags say less, and ends when it does.\n\n"
        "Examples:\n"
        "  gpkey issue agent fw-1 --by acme.key\n"
        "  gpkey issue user alice --by acme.key --roles query,status --hosts 'fw*' --days 90\n"
        "  gpkey issue issuer eu --by acme.key --hosts 'eu-*' --max-days 90",
    .opts = ISSUE_OPTS,
    .run = issue,
};
const cli_cmd gpkey_sign_csr = {
    .name = "sign-csr",
    .usage = SIGN_USAGE,
    .summary = "Certify a key that was made elsewhere",
    .about = "Sign requests (gpkey request) or .pub files; the secret key never leaves its host.\n"
             "What is given here replaces what was asked for: look at the result.\n\n"
             "Example:\n"
             "  gpkey sign-csr alice.csr --by acme.key --roles query --days 90",
    .opts = SIGN_OPTS,
    .run = sign_csr,
};
const cli_cmd gpkey_request = {
    .name = "request",
    .usage = REQUEST_USAGE,
    .summary = "Ask for a certificate of a key",
    .about = "Write a request that the holder of the fleet's key answers with gpkey sign-csr.\n\n"
             "Example:\n"
             "  gpkey request alice.key --roles query,live",
    .opts = REQUEST_OPTS,
    .run = request,
};
const cli_cmd gpkey_renew = {
    .name = "renew",
    .usage = RENEW_USAGE,
    .summary = "Sign certificates again with a new validity",
    .about = "Write the same certificates with a new serial number and a new validity in place.\n"
             "What was revoked is not renewed.\n\n"
             "Example:\n"
             "  gpkey renew fw-1.crt fw-2.crt --by acme.key --days 365",
    .opts = RENEW_OPTS,
    .run = renew,
};
