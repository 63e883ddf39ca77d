/* pass.c - pass phrases: from a descriptor, a private file or the terminal, into locked memory. */
#include "gp/io.h"
#include "gp/num.h"
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

void auth_pass_free(char *pass)
{
    sodium_free(pass); /* wipes */
}

/* The bytes up to a newline or the end, one at a time: what follows is not ours. */
static gp_status read_line(int fd, const char *from, char *out, gp_err *err)
{
    size_t n = 0;
    for (;;) {
        char ch;
        ssize_t r = read(fd, &ch, 1);
        if (r < 0)
            return gp_fail(err, errno == EINTR ? GP_ECANCELLED : GP_EIO, errno,
                           "pass phrase from %s", from);
        if (r == 0 || ch == '\n')
            break;
        if (n == AUTH_PASS_MAX)
            return gp_fail(err, GP_ELIMIT, 0, "pass phrase: longer than %d bytes", AUTH_PASS_MAX);
        out[n++] = ch;
    }
    out[n] = 0;
    return n && strlen(out) == n ? GP_OK
                                 : gp_fail(err, GP_EINVAL, 0, "no pass phrase from %s", from);
}

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
    caught = sig;
}

static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { N_SIGNALS = sizeof SIGNALS / sizeof *SIGNALS };

/* A line without echo. A signal must not leave the terminal that way: caught, put right, raised. */
static gp_status ask(int tty, const char *prompt, char *out, gp_err *err)
{
    struct termios old, quiet;
    struct sigaction before[N_SIGNALS], catch = {.sa_handler = on_signal};
    sigset_t mask, unmask;
    if (tcgetattr(tty, &old) != 0)
        return gp_fail(err, GP_EIO, errno, "pass phrase: no terminal");
    caught = 0;
    sigemptyset(&unmask);
    for (int i = 0; i < N_SIGNALS; i++) {
        sigaction(SIGNALS[i], &catch, &before[i]);
        sigaddset(&unmask, SIGNALS[i]);
    }
    pthread_sigmask(SIG_UNBLOCK, &unmask, &mask); /* daemons have blocked them */
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
    (void)tcsetattr(tty, TCSAFLUSH, &quiet);
    gp_status st = gp_write_full(tty, prompt, strlen(prompt), err);
    if (st == GP_OK)
        st = read_line(tty, "the terminal", out, err);
    (void)tcsetattr(tty, TCSAFLUSH, &old);
    (void)!write(tty, "\n", 1);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    for (int i = 0; i < N_SIGNALS; i++)
        sigaction(SIGNALS[i], &before[i], NULL);
    if (caught)
        raise(caught);
    return st;
}

static gp_status from_terminal(const char *what, int twice, char *out, gp_err *err)
{
    char prompt[256];
    GP_CLEANUP(gp_closep) int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0)
        return gp_fail(err, GP_EDENIED, 0,
                       "there is no terminal to ask for the pass phrase of %s: set "
                       "FLEETPROBE_PASSPHRASE_FD or FLEETPROBE_PASSPHRASE_FILE",
                       what);
    snprintf(prompt, sizeof prompt, "Pass phrase for %s: ", what);
    GP_TRY(ask(tty, prompt, out, err));
    if (!twice)
        return GP_OK;
    char *again = sodium_malloc(AUTH_PASS_MAX + 1);
    if (!again)
        return gp_fail(err, GP_ENOMEM, 0, "pass phrase: out of locked memory");
    gp_status st = ask(tty, "Once more: ", again, err);
    if (st == GP_OK && strcmp(again, out) != 0)
        st = gp_fail(err, GP_EINVAL, 0, "the two pass phrases differ");
    sodium_free(again);
    return st;
}

static gp_status from_file(const char *path, char *out, gp_err *err)
{
    GP_CLEANUP(gp_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return gp_fail(err, GP_EIO, errno, "FLEETPROBE_PASSPHRASE_FILE %s", path);
    GP_TRY(auth_private_file(fd, path, err));
    return read_line(fd, path, out, err);
}

gp_status auth_pass_get(const char *what, int twice, char **out, gp_err *err)
{
    const char *fd = getenv("FLEETPROBE_PASSPHRASE_FD");
    const char *file = getenv("FLEETPROBE_PASSPHRASE_FILE");
    uint64_t n;
    GP_TRY(auth_init(err));
    char *pass = sodium_malloc(AUTH_PASS_MAX + 1);
    gp_status st = GP_OK;
    if (!pass)
        return gp_fail(err, GP_ENOMEM, 0, "pass phrase: out of locked memory");
    if (fd && *fd)
        st = gp_num_u64(fd, strlen(fd), 1 << 20, &n)
                 ? read_line((int)n, "FLEETPROBE_PASSPHRASE_FD", pass, err)
                 : gp_fail(err, GP_EINVAL, 0, "FLEETPROBE_PASSPHRASE_FD: expected a number");
    else if (file && *file)
        st = from_file(file, pass, err);
    else
        st = from_terminal(what, twice, pass, err);
    if (st != GP_OK) {
        sodium_free(pass);
        return st;
    }
    *out = pass;
    return GP_OK;
}
