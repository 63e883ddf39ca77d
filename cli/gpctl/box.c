/* box.c - tables with a frame of line characters, a title and lines of headings (capture.md 6.2).
 */
#include "gp/arena.h"
#include "gpctl.h"

#include <string.h>

enum { TEXT_BYTES = 16 << 20, MAX_HEADS = 4 };

#define BOLD     "\033[1m"
#define BOLD_RED "\033[1;31m"
#define PLAIN    "\033[0m"

typedef struct row {
    struct row *next;
    const char *cell[GPCTL_BOX_COLS];
    unsigned alarm;
} row;

struct gpctl_box {
    gp_arena *arena;
    const char *title;
    char align[GPCTL_BOX_COLS + 1];
    size_t n, width[GPCTL_BOX_COLS];
    row *heads[MAX_HEADS];
    size_t n_heads;
    size_t span_line, span_first, span_n; /* span_n 0: none */
    const char *span_text;
    row *first, *last;
    int failed;
};

/* Columns that a text takes: its code points. */
static size_t columns(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static const char *keep(gpctl_box *b, const char *s)
{
    size_t n = strlen(s);
    char *p = gp_arena_alloc(b->arena, n + 1, 1);
    if (!p) {
        b->failed = 1;
        return "";
    }
    memcpy(p, s, n);
    return p;
}

gpctl_box *gpctl_box_new(const char *title, const char *align)
{
    gp_arena *a = gp_arena_new(TEXT_BYTES);
    gpctl_box *b = a ? gp_arena_alloc(a, 1, sizeof *b) : NULL;
    if (!b) {
        gp_arena_free(a);
        return NULL;
    }
    b->arena = a;
    b->n = strlen(align);
    memcpy(b->align, align, b->n);
    b->title = keep(b, title);
    return b;
}

void gpctl_box_free(gpctl_box *b)
{
    if (b)
        gp_arena_free(b->arena);
}

static row *new_row(gpctl_box *b, const char *const *cells)
{
    row *r = gp_arena_alloc(b->arena, 1, sizeof *r);
    if (!r) {
        b->failed = 1;
        return NULL;
    }
    for (size_t i = 0; i < b->n; i++) {
        r->cell[i] = keep(b, cells[i]);
        size_t w = columns(cells[i]);
        if (w > b->width[i])
            b->width[i] = w;
    }
    return r;
}

void gpctl_box_head(gpctl_box *b, const char *const *cells)
{
    row *r = b->n_heads < MAX_HEADS ? new_row(b, cells) : NULL;
    if (r)
        b->heads[b->n_heads++] = r;
}

/* Width of n columns from first on, with what stands between them. */
static size_t width_of(const gpctl_box *b, size_t first, size_t n)
{
    size_t w = n ? 3 * (n - 1) : 0;
    for (size_t i = first; i < first + n; i++)
        w += b->width[i];
    return w;
}

void gpctl_box_span(gpctl_box *b, size_t first, size_t n, const char *cell)
{
    size_t w = columns(cell), have = width_of(b, first, n);
    b->span_line = b->n_heads - 1;
    b->span_first = first;
    b->span_n = n;
    b->span_text = keep(b, cell);
    if (w > have)
        b->width[first] += w - have;
}

void gpctl_box_row(gpctl_box *b, const char *const *cells, unsigned alarm)
{
    row *r = new_row(b, cells);
    if (!r)
        return;
    r->alarm = alarm;
    if (b->last)
        b->last->next = r;
    else
        b->first = r;
    b->last = r;
}

static void repeat(const char *s, size_t n, FILE *out)
{
    while (n--)
        fputs(s, out);
}

/* A line of the frame; joint: what stands between two columns, hidden: columns whose joint to the
 * next is a plain line (bits). */
static void rule(const gpctl_box *b, const char *left, const char *joint, const char *right,
                 unsigned hidden, FILE *out)
{
    fputs(left, out);
    for (size_t i = 0; i < b->n; i++) {
        repeat("─", b->width[i] + 2, out);
        if (i + 1 < b->n)
            fputs(hidden >> i & 1 ? "─" : joint, out);
    }
    fputs(right, out);
    fputc('\n', out);
}

static void padded(const char *s, size_t width, char align, const char *style, FILE *out)
{
    size_t w = columns(s), gap = width > w ? width - w : 0;
    size_t before = align == 'R' ? gap : align == 'C' ? gap / 2 : 0;
    fprintf(out, " %*s%s%s%s%*s ", (int)before, "", style ? style : "", s, style ? PLAIN : "",
            (int)(gap - before), "");
}

static void print_row(const gpctl_box *b, const row *r, int color, FILE *out)
{
    fputs("│", out);
    for (size_t i = 0; i < b->n; i++) {
        padded(r->cell[i], b->width[i], b->align[i], color && r->alarm >> i & 1 ? BOLD_RED : NULL,
               out);
        fputs("│", out);
    }
    fputc('\n', out);
}

/* Line k of the headings; the text that spans columns is centred. */
static void print_head(const gpctl_box *b, size_t k, FILE *out)
{
    if (!b->span_n || b->span_line != k) {
        print_row(b, b->heads[k], 0, out);
        return;
    }
    fputs("│", out);
    for (size_t i = 0; i < b->n; i++) {
        if (i == b->span_first) {
            padded(b->span_text, width_of(b, i, b->span_n), 'C', NULL, out);
            i += b->span_n - 1;
        } else {
            padded(b->heads[k]->cell[i], b->width[i], b->align[i], NULL, out);
        }
        fputs("│", out);
    }
    fputc('\n', out);
}

gp_status gpctl_box_print(const gpctl_box *b, FILE *out, int color, gp_err *err)
{
    unsigned all = ~0u, hidden = 0;

    if (b->failed)
        return gp_fail(err, GP_ENOMEM, 0, "table: out of memory");
    for (size_t i = 1; i < b->span_n && b->span_line == 0; i++)
        hidden |= 1u << (b->span_first + i - 1);
    rule(b, "╭", "─", "╮", all, out);
    fputs("│", out);
    padded(b->title, width_of(b, 0, b->n), 'C', color ? BOLD : NULL, out);
    fputs("│\n", out);
    rule(b, "├", "┬", "┤", hidden, out);
    for (size_t k = 0; k < b->n_heads; k++)
        print_head(b, k, out);
    rule(b, "├", "┼", "┤", 0, out);
    for (const row *r = b->first; r; r = r->next)
        print_row(b, r, color, out);
    rule(b, "╰", "┴", "╯", 0, out);
    return GP_OK;
}
