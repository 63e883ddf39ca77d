/* gpdb.h - the commands of gpdb and what they share. */
#ifndef GPDB_H
#define GPDB_H

#include "cli/args.h"
#include "godb/db.h"
#include "godb/writer.h"
#include "gp/bytes.h"
#include "gp/clock.h"
#include "query/json.h"

/* Values of all options; strings are borrowed from argv or the tables. */
typedef struct gpdb_opts {
    /* all commands */
    const char *db_path;
    int json, quiet, version;
    /* what to look at */
    const char *ifaces, *first, *last;
    int verbose;
    /* writing */
    const char *iface, *schema, *codec, *mode, *sync;
    uint64_t rows;
    int rows_by_default; /* nobody asked for that limit: say so when it is reached */
    int64_t level;
    int no_index;
    uint64_t threads;
    /* export */
    const char *output;
    int no_header;
    /* merge, repair, retain, index */
    int dry_run, overwrite, apply, rebuild, no_rows;
    int64_t tolerance_ns;
    const char *quarantine;
    const char *max_age, *min_free;
    uint64_t max_size, max_iface_size;
} gpdb_opts;

/* Exit codes. */
enum {
    GPDB_OK = 0,
    GPDB_FAILED = 1,
    GPDB_USAGE = 2,
    GPDB_FOUND = 3 /* done, but something is damaged or had to be left out */
};

extern const cli_cmd gpdb_root, gpdb_import, gpdb_export, gpdb_merge, gpdb_check, gpdb_repair,
    gpdb_inspect, gpdb_list, gpdb_retain, gpdb_index, goconvert_root;

/* ---- messages (out.c) ---- */

/* "gpdb import: text" on standard error; each returns its exit code. */
int gpdb_fail(const cli_line *line, const char *fmt, ...) GP_PRINTF(2, 3);
/* The same for wrong usage; adds where to find help. */
int gpdb_usage(const cli_line *line, const char *fmt, ...) GP_PRINTF(2, 3);
/* A line that is no failure; nothing with --quiet. */
void gpdb_warn(const gpdb_opts *o, const cli_line *line, const char *fmt, ...) GP_PRINTF(3, 4);

/* Bytes for a person: "19 B", "2.07 kB". */
char *gpdb_size(uint64_t bytes, char *buf, size_t cap);
/* What makes a plural of a noun: "s", or "" for 1. */
const char *gpdb_s(uint64_t n);

/* Flush standard output: code, or GPDB_FAILED when something could not be written. */
int gpdb_finish(const cli_line *line, int code);

/* Members that query/json.h lacks. */
void gpdb_json_uint(query_json_object *j, const char *key, uint64_t v);
void gpdb_json_seconds(query_json_object *j, const char *key, int64_t ns);
void gpdb_json_bool(query_json_object *j, const char *key, int v);
/* Print what b holds and a line feed, empty b; false when memory ran out. */
int gpdb_json_print(gp_buf *b, FILE *out);

/* ---- progress (progress.c) ---- */

/* From now on the first SIGINT or SIGTERM sets the flag, the second one ends the program. */
gp_cancel *gpdb_cancel_start(void);

typedef struct gpdb_progress {
    int64_t start_ms;
    int terminal, shown;
} gpdb_progress;

/* A line on standard error that is rewritten, for work of more than a second on a terminal. */
void gpdb_progress_start(gpdb_progress *p, const gpdb_opts *o);
int64_t gpdb_progress_ms(const gpdb_progress *p); /* since the start */
void gpdb_progress_show(gpdb_progress *p, const char *fmt, ...) GP_PRINTF(2, 3);
/* Take the line away, e.g. before another one is printed. */
void gpdb_progress_clear(gpdb_progress *p);

/* ---- arguments (select.c) ---- */

/* The database: -d, or else the first word, which *words and *n then leave behind. NULL after a
 * usage message. */
const char *gpdb_take_db(const gpdb_opts *o, const cli_line *line, const char *const **words,
                         size_t *n);

/* Interfaces selected by -i, NULL-ended; v is NULL when all are. */
typedef struct gpdb_ifaces {
    char **all;     /* owned */
    const char **v; /* owned array of borrowed names */
    size_t n;
} gpdb_ifaces;

/* Resolve -i against the database at path. GP_ENOTFOUND when a plain name does not exist or nothing
 * is selected. Free in any case. */
gp_status gpdb_ifaces_select(const gpdb_opts *o, const char *path, gpdb_ifaces *out,
                             gp_err *err) GP_MUST_CHECK;
void gpdb_ifaces_free(gpdb_ifaces *f);

/* -f and -l; without them everything. */
gp_status gpdb_range(const gpdb_opts *o, int64_t *first_s, int64_t *last_s,
                     gp_err *err) GP_MUST_CHECK;

/* --codec, --level, --mode, --sync, --no-index. */
gp_status gpdb_writer_opts(const gpdb_opts *o, godb_writer_opts *out, gp_err *err) GP_MUST_CHECK;

/* "YYYY-MM-DD" of a UTC day; buf >= 16 bytes. */
char *gpdb_day_text(int64_t day_s, char *buf, size_t cap);
/* A UTC day as "YYYY-MM-DD" or any second of it in Unix time; false if it is neither. */
int gpdb_day_parse(const char *text, int64_t *day_s);

/* Import with the flags of the old goConvert (godb-format.md 8.3). */
int goconvert_main(int argc, char **argv);
/* What both ways of importing end in: files words[0 .. n-1] into db. */
int gpdb_import_files(const gpdb_opts *o, const cli_line *line, const char *db,
                      const char *const *files, size_t n);

#endif
