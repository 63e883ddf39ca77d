/* cmd_repair.c - `gpdb repair`: bring a damaged database in order. */
#include "gpdb.h"

#include "godb/repair.h"

#include <inttypes.h>
#include <string.h>

#define AT(m) offsetof(gpdb_opts, m)

static const cli_opt opts[] = {
    {"apply", 0, CLI_BOOL, AT(apply), NULL, NULL,
     "Repair. Without it only what would be done is shown.", "Flags", NULL, 0},
    {"yes", 'y', CLI_BOOL, AT(apply), NULL, NULL, "The same as --apply.", NULL, NULL, 0},
    {"ifaces", 'i', CLI_STRING, AT(ifaces), "LIST", NULL,
     "Interfaces: names separated by commas, !NAME to leave one out, or /regular expression/; all "
     "by default.",
     NULL, NULL, 0},
    {"first", 'f', CLI_STRING, AT(first), "TIME", NULL,
     "Days from then on; times as for goquery, e.g. -7d or '2024-03-01 00:00'.", NULL, NULL, 0},
    {"last", 'l', CLI_STRING, AT(last), "TIME", NULL, "Days until then.", NULL, NULL, 0},
    {"quarantine", 0, CLI_STRING, AT(quarantine), "DIR", NULL,
     "Where damaged originals go: outside the database, on the same file system. Without it: DB "
     "with "
     "\".quarantine\" behind it.",
     NULL, NULL, CLI_DIR},
    {0},
};

static const char *const usage[] = {"[flags] DB", "-d DB [flags]", NULL};

struct job {
    const gpdb_opts *o;
    const cli_line *line;
    gp_buf json; /* actions so far, without brackets */
};

static void on_action(void *ctx, const godb_repair_action *a)
{
    struct job *j = ctx;

    if (j->o->json) {
        if (j->json.len)
            gp_buf_addc(&j->json, ',');
        query_json_object o = query_json_open(&j->json);
        query_json_text(&o, "action", godb_repair_name(a->kind));
        query_json_text(&o, "path", a->path);
        query_json_text(&o, "text", a->text);
        gpdb_json_uint(&o, "blocks_kept", a->blocks_kept);
        gpdb_json_uint(&o, "blocks_lost", a->blocks_lost);
        gpdb_json_bool(&o, "done",
                       j->o->apply && a->status == GP_OK && a->kind != GODB_REPAIR_LEAVE);
        if (a->status != GP_OK)
            query_json_text(&o, "error", gp_status_name(a->status));
        query_json_close(&o);
    } else if (a->kind == GODB_REPAIR_LEAVE && a->status != GP_OK) {
        (void)gpdb_fail(j->line, "%s is left alone: %s", a->path, a->text);
    } else if (a->kind == GODB_REPAIR_LEAVE) {
        if (!j->o->quiet)
            printf("left alone %s: %s\n", a->path, a->text);
    } else if (a->status != GP_OK) {
        (void)gpdb_fail(j->line, "%s %s failed: %s", godb_repair_name(a->kind), a->path, a->text);
    } else if (!j->o->quiet) {
        printf("%s%s %s: %s", j->o->apply ? "" : "would ", godb_repair_name(a->kind), a->path,
               a->text);
        if (a->kind == GODB_REPAIR_REBUILD)
            printf(" (%" PRIu64 " block%s kept, %" PRIu64 " lost)", a->blocks_kept,
                   gpdb_s(a->blocks_kept), a->blocks_lost);
        putchar('\n');
    }
}

static uint64_t actions(const godb_repair_stats *s)
{
    uint64_t sum = 0;

    for (int k = 0; k < GODB_REPAIR_N_KINDS; k++)
        sum += k == GODB_REPAIR_LEAVE ? 0 : s->n[k];
    return sum;
}

static void report_json(struct job *j, const godb_repair_stats *s)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    query_json_object o = query_json_open(&b);

    gpdb_json_bool(&o, "dry_run", !j->o->apply);
    gpdb_json_uint(&o, "days", s->days);
    gpdb_json_uint(&o, "days_ok", s->days_ok);
    gpdb_json_uint(&o, "failed", s->failed);
    gpdb_json_uint(&o, "blocks_kept", s->blocks_kept);
    gpdb_json_uint(&o, "blocks_lost", s->blocks_lost);
    gpdb_json_uint(&o, "days_lost", s->days_lost);
    query_json_key(&o, "kinds");
    query_json_object kinds = query_json_open(&b);
    for (int k = 0; k < GODB_REPAIR_N_KINDS; k++)
        if (s->n[k])
            gpdb_json_uint(&kinds, godb_repair_name((godb_repair_kind)k), s->n[k]);
    query_json_close(&kinds);
    query_json_key(&o, "actions");
    gp_buf_printf(&b, "[%s]", gp_buf_str(&j->json));
    query_json_close(&o);
    (void)gpdb_json_print(&b, stdout);
}

static void report_text(const struct job *j, const godb_repair_stats *s)
{
    uint64_t n = actions(s), left = s->n[GODB_REPAIR_LEAVE];

    if (j->o->quiet)
        return;
    printf("%" PRIu64 " day%s, %" PRIu64 " in order: ", s->days, gpdb_s(s->days), s->days_ok);
    if (n == 0)
        printf("nothing %sto do", left + s->failed ? "else " : "");
    else
        printf("%" PRIu64 " action%s%s", n, gpdb_s(n),
               j->o->apply ? " done" : "; add --apply to do it");
    if (left)
        printf(", %" PRIu64 " left alone", left);
    if (s->failed)
        printf(", %" PRIu64 " failed", s->failed);
    putchar('\n');
}

static int run(void *values, const cli_line *line)
{
    const gpdb_opts *o = values;
    struct job j = {.o = o, .line = line};
    const char *const *words;
    size_t n;
    GP_CLEANUP(gpdb_ifaces_free) gpdb_ifaces ifaces = {0};
    godb_repair_opts ro = GODB_REPAIR_OPTS_INIT;
    godb_repair_stats st = {0};
    gp_err err = {0};
    const char *db = gpdb_take_db(o, line, &words, &n);

    if (!db)
        return GPDB_USAGE;
    if (n > 0)
        return gpdb_usage(line, "unexpected word '%s'", words[0]);
    if (gpdb_range(o, &ro.first_s, &ro.last_s, &err) != GP_OK)
        return gpdb_usage(line, "%s", err.msg);
    gp_status rc = gpdb_ifaces_select(o, db, &ifaces, &err);
    if (rc == GP_OK) {
        ro.ifaces = ifaces.v;
        ro.dry_run = !o->apply;
        ro.quarantine = o->quarantine && *o->quarantine ? o->quarantine : NULL;
        ro.cancel = gpdb_cancel_start();
        rc = godb_repair(db, &ro, on_action, &j, &st, &err);
    }
    if (rc == GP_OK && o->json)
        report_json(&j, &st);
    else if (rc == GP_OK)
        report_text(&j, &st);
    gp_buf_free(&j.json);
    if (rc != GP_OK)
        return gpdb_fail(line, "%s", err.msg);
    if (st.failed)
        return GPDB_FAILED;
    /* like check: in a dry run there is something to repair; afterwards something is lost or left
     */
    return (!o->apply && actions(&st) > 0) || st.blocks_lost + st.days_lost > 0 ||
                   st.n[GODB_REPAIR_LEAVE] > 0
               ? GPDB_FOUND
               : GPDB_OK;
}

const cli_cmd gpdb_repair = {
    .name = "repair",
    .usage = usage,
    .summary = "Bring a damaged database in order",
    .about = "Put right what `gpdb check` finds: cut off torn ends, correct directory names "
             "and totals, rewrite\n"
             "days from their readable blocks, put aside what cannot be read, and tidy up "
             "what interrupted\n"
             "programs left. Without --apply it only shows what it would do. Good blocks are "
             "copied byte for\n"
             "byte; what is replaced is moved to the quarantine directory, never deleted. "
             "Where it cannot be told\n"
             "what is right (two directories of a day, rows out of order), the line says \"left "
             "alone\". An\n"
             "interface that another process writes to is left alone too, which counts as a "
             "failure. A directory\n"
             "that is no database is refused.\n"
             "\n"
             "Exit code 0: in order, or repaired without loss; 1: something failed; 3: there "
             "is something to\n"
             "repair, blocks or days were lost, or something is left alone.\n"
             "\n"
             "Examples:\n"
             "  gpdb repair /srv/flows\n"
             "  gpdb repair /srv/flows -i eth0 --apply\n"
             "  gpdb repair -d /srv/flows --quarantine /srv/damaged --yes --json",
    .opts = opts,
    .run = run,
};
