/* layout.c - right-aligned text tables in two passes, and the table that keeps its lines. */
#include "layout.h"

#include "gp/mem.h"
#include "result/print.h"
#include "width.h"

#include <string.h>

gp_status result_layout_measure(layout *l, const layout_cell *cells, size_t n)
{
    for (size_t c = 0; c < LAYOUT_MAX_COLS; c++) {
        struct layout_col *col = &l->col[c];
        if (c >= n) {
            col->open = 0;
            continue;
        }
        if (!col->open) {
            if (col->n == col->cap) {
                size_t cap = col->cap ? 2 * col->cap : 4;
                uint32_t *p = gp_realloc(col->width, cap, sizeof *p);
                if (!p)
                    return GP_ENOMEM;
                col->width = p;
                col->cap = cap;
            }
            col->width[col->n++] = 0;
            col->open = 1;
        }
        if (cells[c].columns > col->width[col->n - 1])
            col->width[col->n - 1] = cells[c].columns;
    }
    return GP_OK;
}

void result_layout_rewind(layout *l)
{
    for (size_t c = 0; c < LAYOUT_MAX_COLS; c++) {
        l->col[c].at = 0;
        l->col[c].open = 0;
    }
}

void result_layout_put(layout *l, const layout_cell *cells, size_t n, writer *w)
{
    for (size_t c = 0; c < LAYOUT_MAX_COLS; c++) {
        struct layout_col *col = &l->col[c];
        if (c >= n) {
            col->open = 0;
            continue;
        }
        if (!col->open) {
            col->at++;
            col->open = 1;
        }
        size_t width = col->width[col->at - 1], fill = width - cells[c].columns;
        int left = l->left >> c & 1;
        result_writer_fill(w, ' ', l->pad + (left ? 0 : fill));
        result_writer_add(w, cells[c].s, cells[c].len);
        if (left && c + 1 < n)
            result_writer_fill(w, ' ', fill);
    }
}

void result_layout_free(layout *l)
{
    for (size_t c = 0; c < LAYOUT_MAX_COLS; c++)
        gp_free(l->col[c].width);
    *l = (layout){0};
}

/* ---- result_table: lines kept, for small tables such as `list` ---- */

struct table_line {
    layout_cell *cells;
    size_t n;
};

struct result_table {
    gp_arena *arena; /* cells and texts */
    struct table_line *lines;
    size_t n, cap;
    uint32_t left;
};

gp_status result_table_new(result_table **out, gp_err *err)
{
    result_table *t = gp_calloc(1, sizeof *t);
    if (t)
        t->arena = gp_arena_new(SIZE_MAX);
    if (!t || !t->arena) {
        gp_free(t);
        return gp_fail(err, GP_ENOMEM, 0, "table: out of memory");
    }
    *out = t;
    return GP_OK;
}

void result_table_free(result_table *t)
{
    if (!t)
        return;
    gp_arena_free(t->arena);
    gp_free(t->lines);
    gp_free(t);
}

static gp_status table_reserve(result_table *t)
{
    if (t->n < t->cap)
        return GP_OK;
    size_t cap = t->cap ? 2 * t->cap : 32;
    struct table_line *p = gp_realloc(t->lines, cap, sizeof *p);
    if (!p)
        return GP_ENOMEM;
    t->lines = p;
    t->cap = cap;
    return GP_OK;
}

gp_status result_table_line(result_table *t, const char *const *cells, size_t n, gp_err *err)
{
    if (n > LAYOUT_MAX_COLS)
        return gp_fail(err, GP_EINVAL, 0, "table: %zu columns, at most %d", n, LAYOUT_MAX_COLS);
    layout_cell *line = gp_arena_alloc(t->arena, n ? n : 1, sizeof *line);
    if (!line || table_reserve(t) != GP_OK)
        return gp_fail(err, GP_ENOMEM, 0, "table: out of memory");
    for (size_t i = 0; i < n; i++) {
        size_t cap = strlen(cells[i]) + 1;
        char *s = cap < UINT32_MAX ? gp_arena_alloc(t->arena, cap, 1) : NULL;
        if (!s)
            return gp_fail(err, GP_ENOMEM, 0, "table: out of memory");
        uint32_t len = (uint32_t)result_width_clean(cells[i], s, cap);
        line[i] = (layout_cell){s, len, (uint32_t)result_width_columns(s, len)};
    }
    t->lines[t->n++] = (struct table_line){line, n};
    return GP_OK;
}

void result_table_left(result_table *t, unsigned col)
{
    t->left |= UINT32_C(1) << col;
}

static void table_put(layout *l, const struct table_line *line, writer *w)
{
    result_layout_put(l, line->cells, line->n, w);
    result_writer_addc(w, '\n');
}

gp_status result_table_print(const result_table *t, unsigned padding, FILE *out, gp_err *err)
{
    layout l = {.pad = padding, .left = t->left};
    GP_CLEANUP(result_writer_freep) writer *w = result_writer_new(out);
    gp_status st = w ? GP_OK : GP_ENOMEM;
    for (size_t i = 0; i < t->n && st == GP_OK; i++)
        st = result_layout_measure(&l, t->lines[i].cells, t->lines[i].n);
    result_layout_rewind(&l);
    for (size_t i = 0; i < t->n && st == GP_OK; i++)
        table_put(&l, &t->lines[i], w);
    result_layout_free(&l);
    if (st != GP_OK)
        return gp_fail(err, st, 0, "table: out of memory");
    return result_writer_finish(w, err);
}

gp_status result_table_csv(const result_table *t, FILE *out, gp_err *err)
{
    GP_CLEANUP(result_writer_freep) writer *w = result_writer_new(out);
    if (!w)
        return gp_fail(err, GP_ENOMEM, 0, "table: out of memory");
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->lines[i].n; c++) {
            if (c)
                result_writer_addc(w, ',');
            result_writer_csv(w, t->lines[i].cells[c].s, t->lines[i].cells[c].len);
        }
        result_writer_addc(w, '\n');
    }
    return result_writer_finish(w, err);
}

gp_status result_table_markdown(const result_table *t, FILE *out, gp_err *err)
{
    GP_CLEANUP(result_writer_freep) writer *w = result_writer_new(out);
    if (!w)
        return gp_fail(err, GP_ENOMEM, 0, "table: out of memory");
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->lines[i].n; c++) {
            result_writer_adds(w, "| ");
            result_writer_markdown(w, t->lines[i].cells[c].s, t->lines[i].cells[c].len);
            result_writer_addc(w, ' ');
        }
        result_writer_adds(w, "|\n");
        for (size_t c = 0; i == 0 && c < t->lines[i].n; c++)
            result_writer_adds(w, t->left >> c & 1 ? "|---" : "|---:");
        if (i == 0)
            result_writer_adds(w, "|\n");
    }
    return result_writer_finish(w, err);
}
