/* node.h - the parsed tree behind rt_node; private to the room. */
#ifndef RT_NODE_H
#define RT_NODE_H

#include "gp/arena.h"
#include "rt/config.h"

struct rt_node {
    rt_kind kind;
    unsigned line;     /* 1-based */
    int used;          /* 1 after a getter looked at it */
    int no_map;        /* 1 after a getter looked for something below what is no map */
    const char *file;  /* name for errors */
    const char *path;  /* dotted; "" for the root */
    const char *text;  /* RT_SCALAR */
    size_t n;          /* RT_LIST, RT_MAP */
    const char **keys; /* RT_MAP */
    rt_node **values;
};

/* Parse YAML or JSON text; everything lives in arena. *out: a map (an empty one for an empty
 * document). */
gp_status rt_yaml_parse(const char *name, const void *text, size_t len, gp_arena *arena,
                        rt_node **out, gp_err *err) GP_MUST_CHECK;

/* Scalar text to values; source: "FILE:LINE: PATH" for errors. */
gp_status rt_text_bool(const char *source, const char *s, int *out, gp_err *err) GP_MUST_CHECK;
gp_status rt_text_i64(const char *source, const char *s, int64_t min, int64_t max, int64_t *out,
                      gp_err *err) GP_MUST_CHECK;
gp_status rt_text_f64(const char *source, const char *s, double min, double max, double *out,
                      gp_err *err) GP_MUST_CHECK;
gp_status rt_text_duration(const char *source, const char *s, int64_t min_ns, int64_t max_ns,
                           int64_t *out_ns, gp_err *err) GP_MUST_CHECK;
gp_status rt_text_bytes(const char *source, const char *s, uint64_t min, uint64_t max,
                        uint64_t *out, gp_err *err) GP_MUST_CHECK;

#endif
