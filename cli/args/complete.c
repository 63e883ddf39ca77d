/* complete.c - shell completion scripts from the option tables (bash, zsh, fish, PowerShell). */
#include "internal.h"

#include <ctype.h>
#include <string.h>

typedef struct script {
    const cli_cmd *root;
    const char *program;
    char func[64]; /* program as a shell identifier */
    FILE *out;
} script;

/* First sentence of a help text, with characters that the shells' quotes would trip over left out.
 */
static void put_short_help(const char *help, FILE *out)
{
    for (const char *p = help; *p; p++) {
        if (*p == '.' && (p[1] == ' ' || p[1] == '\0' || p[1] == '\n'))
            break;
        if (strchr("'\"`$\\[]:\n", *p))
            fputc(*p == '\n' ? ' ' : '-', out);
        else
            fputc(*p, out);
    }
}

static void put_choices(const cli_opt *o, FILE *out)
{
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", o->choices[i]);
}

/* All flags of a command separated by blanks: "--name -n ". */
static void put_flags(const script *s, const cli_cmd *cmd)
{
    cli_walk w;
    cli_walk_start(&w, s->root, cmd);
    for (const cli_opt *o; (o = cli_walk_next(&w));) {
        if (o->flags & CLI_HIDDEN)
            continue;
        fprintf(s->out, "--%s ", o->name);
        if (o->letter)
            fprintf(s->out, "-%c ", o->letter);
    }
    fputs("--help -h", s->out);
}

static void put_subs(const script *s, const cli_cmd *cmd)
{
    for (size_t i = 0; cmd->subs && cmd->subs[i]; i++)
        fprintf(s->out, "%s%s", i ? " " : "", cmd->subs[i]->name);
}

static void each_command(const script *s, const cli_cmd *cmd, const char *path,
                         void (*put)(const script *, const cli_cmd *, const char *))
{
    char sub[128];
    put(s, cmd, path);
    for (size_t i = 0; cmd->subs && cmd->subs[i]; i++) {
        snprintf(sub, sizeof sub, "%s%s%s", path, *path ? " " : "", cmd->subs[i]->name);
        each_command(s, cmd->subs[i], sub, put);
    }
}

static int asks_for_words(const cli_cmd *cmd)
{
    int found = cmd->words_from || cmd->words_like;
    for (size_t i = 0; cmd->subs && cmd->subs[i]; i++)
        found |= asks_for_words(cmd->subs[i]);
    return found;
}

/* ---- bash ---- */

/* What completes the value of an option, as one arm of a case. */
static void bash_value(const cli_opt *o, FILE *out)
{
    if (o->choices) {
        fputs("COMPREPLY=($(compgen -W '", out);
        put_choices(o, out);
        fputs("' -- \"$cur\")); return ;;\n", out);
    } else if (o->flags & (CLI_DIR | CLI_FILE)) {
        fprintf(out, "COMPREPLY=($(compgen %s -- \"$cur\")); return ;;\n",
                o->flags & CLI_DIR ? "-d" : "-f");
    } else {
        fputs("COMPREPLY=(); return ;;\n", out);
    }
}

static void bash_values(const script *s, const cli_cmd *cmd, const char *path)
{
    cli_walk w;
    cli_walk_start(&w, s->root, cmd);
    for (const cli_opt *o; (o = cli_walk_next(&w));) {
        if (o->type == CLI_BOOL || o->flags & CLI_HIDDEN)
            continue;
        fprintf(s->out, "    '%s:--%s'", path, o->name);
        if (o->letter)
            fprintf(s->out, " | '%s:-%c'", path, o->letter);
        fputs(") ", s->out);
        bash_value(o, s->out);
    }
}

/* What stands before the command is passed on: it says which agent is meant. Bash has cut it at
 * colons, so it is taken from the line. */
static void bash_words(const script *s, const cli_cmd *cmd, const char *path)
{
    fprintf(s->out, "    '%s') words='", path);
    put_subs(s, cmd);
    fputs("' flags='", s->out);
    if (cmd->words_from) {
        put_flags(s, cmd);
        fprintf(s->out,
                "'\n      read -ra w <<<\"${COMP_LINE%%%% %s*}\"\n"
                "      words+=\" $(\"${w[@]}\" %s 2>/dev/null)\" ;;\n",
                path, cmd->words_from);
        return;
    }
    put_flags(s, cmd);
    if (cmd->words_like)
        fprintf(s->out,
                "'\n      w=\"${COMP_LINE:0:COMP_POINT-${#cur}}%s $cur\"\n"
                "      words=\"$(%s bash \"$(printf %%s \"$w\" | wc -c)\" \"$w\" 2>/dev/null"
                " | grep -v '[ ,]')\" ;;\n",
                cmd->words_like, s->root->completer);
    else
        fputs("' ;;\n", s->out);
}

/* Which command the words before the cursor name; only exact paths count. */
static void bash_paths(const script *s, const cli_cmd *cmd, const char *path)
{
    (void)cmd;
    if (*path)
        fprintf(s->out, "      '%s') at='%s' ;;\n", path, path);
}

/* Outside of sub-commands ask the helper first (query.md 8). Commands are not its business. */
static void bash_helper(const script *s)
{
    const char *helper = s->root->completer;
    fprintf(s->out,
            "  if [ -z \"$at\" ] && [ \"$prev\" = -d ]; then\n"
            "    COMPREPLY=($(compgen -d -- \"$cur\")); return\n"
            "  fi\n"
            "  if [ -z \"$at\" ] && command -v %s >/dev/null 2>&1; then\n"
            "    mapfile -t COMPREPLY < <(%s bash \"$COMP_POINT\" \"$COMP_LINE\" 2>/dev/null)\n"
            "    if [ \"$COMP_CWORD\" -eq 1 ] && [ \"${cur#-}\" = \"$cur\" ]; then\n"
            "      COMPREPLY+=($(compgen -W '",
            helper, helper);
    put_subs(s, s->root);
    fputs("' -- \"$cur\"))\n"
          "    fi\n"
          "    [ \"${#COMPREPLY[@]}\" -gt 0 ] && return\n"
          "  fi\n",
          s->out);
}

static void bash(const script *s)
{
    FILE *out = s->out;
    fprintf(out, "# bash completion for %s\n_%s() {\n", s->program, s->func);
    fputs("  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" at='' "
          "w words flags\n"
          "  COMPREPLY=()\n",
          out);
    fputs("  for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
          "    case \"${at:+$at }$w\" in\n",
          out);
    each_command(s, s->root, "", bash_paths);
    fputs("    esac\n  done\n", out);
    if (s->root->completer)
        bash_helper(s);
    fputs("  case \"$at:$prev\" in\n", out);
    each_command(s, s->root, "", bash_values);
    fputs("  esac\n  case \"$at\" in\n", out);
    each_command(s, s->root, "", bash_words);
    fputs("  esac\n"
          "  case \"$cur\" in\n"
          "    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\")) ;;\n"
          "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
          "  esac\n}\n",
          out);
    fprintf(out, "complete -o nosort -o default -F _%s %s\n", s->func, s->program);
}

/* ---- zsh ---- */

/* helped: the function that completes the value, or NULL. */
static void zsh_option(const cli_opt *o, const char *name, const char *dash, const char *helped,
                       FILE *out)
{
    fprintf(out, " \\\n    '*%s%s%s[", dash, name, o->type == CLI_BOOL ? "" : dash[1] ? "=" : "+");
    put_short_help(o->help, out);
    fputc(']', out);
    if (o->type != CLI_BOOL) {
        fprintf(out, ":%s:", o->value ? o->value : "value");
        if (o->choices) {
            fputc('(', out);
            put_choices(o, out);
            fputc(')', out);
        } else {
            fputs(o->flags & CLI_DIR    ? "_files -/"
                  : o->flags & CLI_FILE ? "_files"
                  : helped              ? helped
                                        : " ",
                  out);
        }
    }
    fputc('\'', out);
}

static void zsh_command(const script *s, const cli_cmd *cmd, const char *path)
{
    cli_walk w;
    char func[96];
    snprintf(func, sizeof func, "_%s_helper", s->func);
    fprintf(s->out, "    '%s') _arguments -s", path);
    cli_walk_start(&w, s->root, cmd);
    for (const cli_opt *o; (o = cli_walk_next(&w));) {
        char letter[2] = {o->letter, '\0'};
        if (o->flags & CLI_HIDDEN)
            continue;
        const char *helped = s->root->completer && o->flags & CLI_HELPER ? func : NULL;
        zsh_option(o, o->name, "--", helped, s->out);
        if (o->letter)
            zsh_option(o, letter, "-", helped, s->out);
    }
    fputs(" \\\n    '(- *)'{-h,--help}'[Show help]'", s->out);
    if (cmd == s->root && s->root->completer) {
        fprintf(s->out, " '1: :%s' '*: : ' ;;\n", func);
        return;
    }
    if (cmd->subs && cmd->subs[0]) {
        fputs(" '1: :(", s->out);
        put_subs(s, cmd);
        fputs(")'", s->out);
    }
    if (cmd->words_from)
        fprintf(s->out, " '*: : _%s_words %s' ;;\n", s->func, cmd->words_from);
    else if (cmd->words_like)
        fprintf(s->out, " '*: : _%s_like %s' ;;\n", s->func, cmd->words_like);
    else
        fputs(" '*: :_files' ;;\n", s->out);
}

/* Names that the program itself prints, asked with what stands before the command. */
static void zsh_words(const script *s)
{
    fprintf(s->out,
            "_%s_words() {\n"
            "  local -a found=(\"${(@f)$(\"${(@)line_words[1,to-1]}\" \"$@\" 2>/dev/null)}\")\n"
            "  compadd -a found\n"
            "}\n",
            s->func);
}

/* Words that are each like the value of a flag; lists of several and hints are left out. */
static void zsh_like(const script *s)
{
    fprintf(s->out,
            "_%s_like() {\n"
            "  setopt localoptions nomultibyte\n"
            "  local line=\"${(j: :)words[1,CURRENT-1]} $1 ${words[CURRENT]}\"\n"
            "  local -a found=(\"${(@f)$(%s bash ${#line} \"$line\" 2>/dev/null)}\")\n"
            "  found=(${found:#*[ ,]*})\n"
            "  compadd -a found\n"
            "}\n",
            s->func, s->root->completer);
}

/* Query types and interfaces come from the helper; its hints in brackets are cut off. */
static void zsh_helper(const script *s)
{
    fprintf(s->out,
            "_%s_helper() {\n"
            "  setopt localoptions nomultibyte\n" /* lengths in bytes */
            "  local line=\"${(j: :)words[1,CURRENT]}\"\n"
            "  local -a found=(\"${(@f)$(%s bash ${#line} \"$line\" 2>/dev/null)}\")\n"
            "  found=(${found%%%% \\(*})\n"
            "  compadd -U -S '' -a found\n"
            "  (( CURRENT > 2 )) || compadd -- ",
            s->func, s->root->completer);
    put_subs(s, s->root);
    fputs("\n}\n", s->out);
}

static void zsh_paths(const script *s, const cli_cmd *cmd, const char *path)
{
    (void)cmd;
    if (*path)
        fprintf(s->out, "      '%s') at='%s' to=$i ;;\n", path, path);
}

static void zsh(const script *s)
{
    fprintf(s->out, "#compdef %s\n", s->program);
    if (s->root->completer)
        zsh_helper(s);
    if (asks_for_words(s->root))
        s->root->completer ? zsh_like(s) : zsh_words(s);
    fprintf(s->out,
            "_%s() {\n"
            "  local at='' w\n"
            "  integer i to=1\n"
            "  local -a line_words=(\"${words[@]}\")\n"
            "  for (( i = 2; i < CURRENT; i++ )); do\n"
            "    case \"${at:+$at }${words[i]}\" in\n",
            s->func);
    each_command(s, s->root, "", zsh_paths);
    fputs("    esac\n  done\n  case \"$at\" in\n", s->out);
    each_command(s, s->root, "", zsh_command);
    fprintf(s->out, "  esac\n}\ncompdef _%s %s\n", s->func, s->program);
}

/* ---- fish ---- */

static void fish_command(const script *s, const cli_cmd *cmd, const char *path)
{
    char when[256];
    const char *last = strrchr(path, ' ');
    last = last ? last + 1 : path;
    if (*path)
        snprintf(when, sizeof when, "-n '__fish_seen_subcommand_from %s'", last);
    else
        snprintf(when, sizeof when, "-n __fish_use_subcommand");
    for (size_t i = 0; cmd->subs && cmd->subs[i]; i++) {
        fprintf(s->out, "complete -c %s %s -f -a %s -d '", s->program, when, cmd->subs[i]->name);
        put_short_help(cmd->subs[i]->summary, s->out);
        fputs("'\n", s->out);
    }
    if (cmd->words_from)
        fprintf(s->out, "complete -c %s %s -f -a '(__%s_words %s)'\n", s->program, when, s->func,
                cmd->words_from);
    if (cmd->words_like)
        fprintf(s->out, "complete -c %s %s -f -a '(__%s_like %s)'\n", s->program, when, s->func,
                cmd->words_like);
    for (const cli_opt *o = cmd->opts; o && o->name; o++) {
        if (o->flags & CLI_HIDDEN)
            continue;
        fprintf(s->out, "complete -c %s ", s->program);
        if (*path)
            fprintf(s->out, "%s ", when);
        fprintf(s->out, "-l %s ", o->name);
        if (o->letter)
            fprintf(s->out, "-s %c ", o->letter);
        if (o->type != CLI_BOOL)
            fputs(o->flags & (CLI_FILE | CLI_DIR) ? "-r " : "-x ", s->out);
        if (o->choices) {
            fputs("-a '", s->out);
            put_choices(o, s->out);
            fputs("' ", s->out);
        } else if (o->flags & CLI_DIR) {
            fputs("-a '(__fish_complete_directories)' ", s->out);
        } else if (o->flags & CLI_HELPER && s->root->completer) {
            fprintf(s->out, "-a '(__%s_helper)' ", s->func);
        }
        fputs("-d '", s->out);
        put_short_help(o->help, s->out);
        fputs("'\n", s->out);
    }
}

static void fish_helper(const script *s)
{
    fprintf(s->out,
            "function __%s_helper\n"
            "  set -l line (commandline -cp)\n"
            "  %s bash (printf %%s \"$line\" | wc -c | string trim) \"$line\" 2>/dev/null "
            "| string replace -r ' \\(.*' ''\n"
            "end\n"
            "complete -c %s -n 'not __fish_seen_subcommand_from ",
            s->func, s->root->completer, s->program);
    put_subs(s, s->root);
    fprintf(s->out, "' -f -a '(__%s_helper)'\n", s->func);
}

static void fish_words(const script *s)
{
    fprintf(s->out,
            "function __%s_words\n"
            "  set -l call\n"
            "  for w in (commandline -opc)\n"
            "    contains -- $w ",
            s->func);
    put_subs(s, s->root);
    fputs("; and break\n"
          "    set -a call $w\n"
          "  end\n"
          "  $call $argv 2>/dev/null\n"
          "end\n",
          s->out);
}

static void fish_like(const script *s)
{
    fprintf(s->out,
            "function __%s_like\n"
            "  set -l line (commandline -opc)\n"
            "  set line \"$line $argv[1] \"(commandline -ct)\n"
            "  %s bash (printf %%s \"$line\" | wc -c | string trim) \"$line\" 2>/dev/null "
            "| string match -v -r '[ ,]'\n"
            "end\n",
            s->func, s->root->completer);
}

static void fish(const script *s)
{
    fprintf(s->out, "# fish completion for %s\n", s->program);
    if (asks_for_words(s->root))
        s->root->completer ? fish_like(s) : fish_words(s);
    if (s->root->completer)
        fish_helper(s);
    each_command(s, s->root, "", fish_command);
    fprintf(s->out, "complete -c %s -l help -s h -d 'Show help'\n", s->program);
}

/* ---- PowerShell ---- */

static void powershell_command(const script *s, const cli_cmd *cmd, const char *path)
{
    cli_walk w;
    fprintf(s->out, "    '%s' = @(", path);
    for (size_t i = 0; cmd->subs && cmd->subs[i]; i++)
        fprintf(s->out, "'%s',", cmd->subs[i]->name);
    cli_walk_start(&w, s->root, cmd);
    for (const cli_opt *o; (o = cli_walk_next(&w));)
        if (!(o->flags & CLI_HIDDEN))
            fprintf(s->out, "'--%s',", o->name);
    fputs("'--help')\n", s->out);
}

static void powershell(const script *s)
{
    fprintf(s->out,
            "# PowerShell completion for %s\n"
            "Register-ArgumentCompleter -Native -CommandName %s -ScriptBlock {\n"
            "  param($word, $ast, $cursor)\n  $table = @{\n",
            s->program, s->program);
    each_command(s, s->root, "", powershell_command);
    fputs("  }\n"
          "  $path = ''\n"
          "  foreach ($e in $ast.CommandElements | Select-Object -Skip 1) {\n"
          "    $next = ($path + ' ' + $e.ToString()).Trim()\n"
          "    if ($table.ContainsKey($next)) { $path = $next }\n"
          "  }\n"
          "  $table[$path] | Where-Object { $_ -like \"$word*\" } | ForEach-Object {\n"
          "    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)\n"
          "  }\n"
          "}\n",
          s->out);
}

gp_status cli_completion(const cli_cmd *root, const char *program, const char *shell, FILE *out,
                         gp_err *err)
{
    static const struct {
        const char *name;
        void (*put)(const script *);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}, {"powershell", powershell}};
    script s = {.root = root, .program = program, .out = out};
    size_t n = 0;
    for (const char *p = program; *p && n + 1 < sizeof s.func; p++)
        s.func[n++] = isalnum((unsigned char)*p) ? *p : '_';
    for (size_t i = 0; i < GP_COUNT(shells); i++)
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].put(&s);
            return GP_OK;
        }
    return gp_fail(err, GP_ENOTFOUND, 0, "unknown shell \"%.40s\": bash, zsh, fish, powershell",
                   shell);
}

/* ---- the command ---- */

static int run_completion(void *values, const cli_line *line)
{
    gp_err err = {0};
    (void)values;
    if (line->n_words == 0 ||
        cli_completion(line->root, line->program, line->words[0], stdout, &err) != GP_OK)
        cli_help(line, line->cmd, stdout);
    return 0;
}

static const char *const completion_usage[] = {"bash|zsh|fish|powershell", NULL};
const cli_cmd cli_completion_cmd = {
    .name = "completion",
    .usage = completion_usage,
    .summary = "Write a completion script for a shell to standard output.",
    .run = run_completion,
};
