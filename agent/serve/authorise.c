/* authorise.c - may this query run here? Signature, trust, time window, replay, cover, scope. */
#include "serve_int.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "wire/answer.h"
#include "wire/selector.h"

#include <string.h>

void serve_job_clear(serve_job *j)
{
    wire_query_clear(&j->q);
    query_stmt_free(j->stmt);
    serve_ifaces_clear(&j->ifaces);
    *j = (serve_job){0};
}

static rpc_code refuse(gp_buf *text, rpc_code code, const char *why)
{
    gp_buf_adds(text, why);
    return code;
}

static rpc_code refuse_err(gp_buf *text, rpc_code code, const gp_err *err)
{
    return refuse(text, code, err->msg);
}

/* Who signed it; an unsigned body is fine only from a local process that the socket let in. */
static rpc_code identify(serve *s, const auth_peer *peer, const wire_request *r, auth_peer *who,
                         gp_buf *text)
{
    gp_err err = {0};
    if (!r->has_signature) {
        if (peer->local_uid < 0)
            return refuse(text, RPC_UNAUTHENTICATED, "the query is not signed");
        *who = *peer;
        return RPC_OK;
    }
    if (!auth_trust_know(s->o.trust, r->signer, r->cert.data, r->cert.len, gp_wall_s(), who))
        return refuse(text, RPC_PERMISSION_DENIED,
                      "the key that signed the query is not trusted here");
    if (auth_scope_signer(who, &err) != GP_OK)
        return refuse_err(text, RPC_PERMISSION_DENIED, &err);
    if (!auth_verify(r->signer, WIRE_SIGN_QUERY, r->body.data, r->body.len, r->signature))
        return refuse(text, RPC_PERMISSION_DENIED,
                      "the signature does not fit the query (it was changed on the way)");
    /* Others' queries come through relays only; a user's own connection carries own queries. */
    if (peer->local_uid < 0 && memcmp(peer->sign_pk, who->sign_pk, AUTH_SIGN_PK) != 0 &&
        !(peer->roles & AUTH_ROLE_RELAY))
        return refuse(text, RPC_PERMISSION_DENIED, "the caller may not relay queries of others");
    return RPC_OK;
}

static int in_resolved(const char *const *names, size_t n, const wire_query *q)
{
    for (size_t i = 0; i < q->n_resolved; i++) {
        for (size_t k = 0; k < n; k++) {
            if (strcmp(q->resolved[i], names[k]) == 0)
                return 1;
        }
    }
    return 0;
}

/* A user who signs the name of the aggregator that asks us means the hosts behind it; one who asks
 * us himself need not say whom he means. */
static rpc_code check_cover(const serve *s, const serve_job *j, const auth_peer *peer, gp_buf *text)
{
    const wire_query *q = &j->q;
    const char *via = peer->kind == AUTH_KIND_AGGREGATOR ? peer->name : NULL;
    int direct = memcmp(peer->sign_pk, j->who.sign_pk, AUTH_SIGN_PK) == 0;
    const char *names[GP_COUNT(s->names) + 1];
    size_t n = s->n_names;
    wire_selector *sel = NULL;
    gp_err err = {0};
    wire_cover c = WIRE_COVERS_UNKNOWN;
    memcpy(names, s->names, n * sizeof *names);
    if (via)
        names[n++] = via;
    int named = q->resolver && *q->resolver;
    if ((named && strcmp(q->resolver, "string") != 0) || (!named && in_resolved(names, n, q))) {
        /* Only the aggregator has that resolver. Who names none leaves the choice to it, too, and
         * signs what it made of it. */
        c = WIRE_COVERS_UNKNOWN;
    } else {
        if (wire_selector_parse(q->hosts, &sel, &err) != GP_OK)
            return refuse_err(text, RPC_INVALID_ARGUMENT, &err);
        c = wire_selector_covers(sel, names, s->n_names, s->o.groups, s->o.n_groups);
        if (c == WIRE_COVERS_NOT && via)
            c = wire_selector_covers(sel, names, n, s->o.groups, s->o.n_groups);
        if (wire_selector_count(sel) == 0 && direct)
            c = WIRE_COVERS;
        wire_selector_free(sel);
    }
    if (c == WIRE_COVERS || (c == WIRE_COVERS_UNKNOWN && in_resolved(names, n, q)))
        return RPC_OK;
    gp_buf_printf(text,
                  "the signed host selector does not cover this host (%s); if it names it "
                  "otherwise, api.also_named of the agent lacks that name",
                  s->names[0]);
    return RPC_PERMISSION_DENIED;
}

/* Scopes of the signer: hosts, time span, live flows. */
static rpc_code check_scope(const serve *s, const serve_job *j, gp_buf *text)
{
    const wire_query *q = &j->q;
    gp_err err = {0};
    gp_status st = auth_scope_host(&j->who, s->names, s->n_names, &err);
    if (st == GP_OK)
        st = auth_scope_query(&j->who, q->args.live, q->first_s, q->last_s, gp_wall_s(), &err);
    return st == GP_OK ? RPC_OK : refuse_err(text, RPC_PERMISSION_DENIED, &err);
}

/* Does the name, as a selector, mean itself and nothing else? "any" and "!eth0" do not. */
static int means_itself(const char *name)
{
    query_ifsel *sel = NULL;
    int yes = query_ifsel_parse(name, &sel, NULL) == GP_OK && !query_ifsel_is_any(sel) &&
              !query_ifsel_is_regex(sel) && query_ifsel_n_positive(sel) == 1 &&
              query_ifsel_match(sel, name);
    query_ifsel_free(sel);
    return yes;
}

/* Interfaces the engine may look at: those of the database and of live capture that the query names
 * and the key allows. Under a key for some they will be named: who can't be is not among them. */
static rpc_code pick_ifaces(const serve_job *j, const query_ifsel *sel, gp_buf *picked,
                            gp_buf *text)
{
    const char *globs = j->who.local_uid >= 0 ? "*" : j->who.iface_globs;
    int some = strcmp(globs, "*") != 0;
    const char *const *all = j->ifaces.all;
    size_t n = 0, denied = 0;
    for (size_t i = 0; i < j->ifaces.n; i++) {
        if (!query_ifsel_match(sel, all[i]))
            continue;
        if (!auth_glob_list_match(globs, all[i]) || (some && !means_itself(all[i]))) {
            denied++;
            continue;
        }
        gp_buf_printf(picked, "%s%s", n++ ? "," : "", all[i]);
    }
    if (n)
        return RPC_OK;
    if (denied)
        return refuse(text, RPC_PERMISSION_DENIED,
                      "the user's key is not allowed to read these interfaces");
    gp_buf_printf(text, WIRE_NO_INTERFACE " \"%s\" on this host", j->q.args.ifaces);
    return RPC_NOT_FOUND;
}

/* Narrow the interface argument to what may be read, so that "any" of a limited key works. */
static rpc_code check_ifaces(serve *s, serve_job *j, gp_buf *text)
{
    gp_err err = {0};
    query_ifsel *sel = NULL;
    gp_buf picked = {.limit = WIRE_MAX_TEXT * 4};
    rpc_code code;
    gp_status st = query_ifsel_parse(j->q.args.ifaces, &sel, &err);
    if (st == GP_OK)
        st = serve_ifaces_get(s, &j->ifaces, &err);
    if (st != GP_OK) {
        code = refuse_err(text, rpc_code_from_status(st), &err);
        goto out;
    }
    code = pick_ifaces(j, sel, &picked, text);
    /* Everything allowed: leave the text as it is, it decides about the automatic label (1.2). */
    if (code == RPC_OK && j->who.local_uid < 0 && strcmp(j->who.iface_globs, "*") != 0) {
        const char *list = gp_buf_str(&picked);
        if (!list || query_args_set(&j->q.args.ifaces, list) != GP_OK)
            code = refuse(text, RPC_RESOURCE_EXHAUSTED, "out of memory");
    }
out:
    query_ifsel_free(sel);
    gp_buf_free(&picked);
    return code;
}

static rpc_code check_body(serve *s, const auth_peer *peer, const wire_request *r, serve_job *j,
                           gp_buf *text)
{
    gp_err err = {0};
    gp_status st = wire_query_decode(r->body.data, r->body.len, &j->q, &err);
    if (st != GP_OK)
        return refuse_err(text, st == GP_EUNSUPPORTED ? RPC_UNIMPLEMENTED : RPC_INVALID_ARGUMENT,
                          &err);
    const char *fleet = j->q.fleet ? j->q.fleet : "";
    if (s->o.fleet && *s->o.fleet && *fleet && strcmp(fleet, s->o.fleet) != 0)
        return refuse(text, RPC_PERMISSION_DENIED, "the query was signed for another fleet");
    if (r->has_signature) {
        st = auth_request_check(s->replay, r->signer, j->q.id, j->q.issued_s, j->q.ttl_s,
                                s->started_s, gp_wall_s(), &err);
        if (st != GP_OK)
            return refuse_err(
                text, st == GP_ELIMIT ? RPC_RESOURCE_EXHAUSTED : RPC_PERMISSION_DENIED, &err);
        rpc_code code = check_cover(s, j, peer, text);
        if (code != RPC_OK)
            return code;
    }
    return check_scope(s, j, text);
}

rpc_code serve_authorise(serve *s, const auth_peer *peer, const uint8_t *req, size_t len,
                         serve_job *j, gp_buf *text)
{
    wire_request r = {0};
    gp_err err = {0};
    if (wire_request_decode(req, len, &r, &err) != GP_OK)
        return refuse_err(text, RPC_INVALID_ARGUMENT, &err);
    j->partials = r.partials;
    rpc_code code = identify(s, peer, &r, &j->who, text);
    if (code == RPC_OK)
        code = check_body(s, peer, &r, j, text);
    wire_request_clear(&r);
    if (code == RPC_OK)
        code = check_ifaces(s, j, text);
    if (code != RPC_OK)
        return code;
    gp_status st = wire_query_to_stmt(&j->q, gp_wall_s(), &j->stmt, &err);
    return st == GP_OK ? RPC_OK : refuse_err(text, rpc_code_from_status(st), &err);
}
