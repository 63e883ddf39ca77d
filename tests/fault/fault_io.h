/* fault_io.h - the Nth system call of a run fails, is cut short, or is the last one of the process.
 *
 * The linker's --wrap (CMakeLists.txt) puts the functions of fault_io.c in front of libc's for this
 * program. One thread.
 */
#ifndef FAULT_IO_H
#define FAULT_IO_H

typedef enum fault_mode {
    FAULT_NONE,
    FAULT_EIO,    /* the call fails, the next ones work */
    FAULT_ENOSPC, /* it fails and so does every call after it that needs space */
    FAULT_SHORT,  /* a write puts half of the bytes and says so; other calls fail with EINTR or EIO
                   */
    FAULT_HALF_EIO,   /* a write puts half of the bytes, and fails from then on */
    FAULT_KILL,       /* SIGKILL instead of the call */
    FAULT_KILL_HALF,  /* a write puts half of the bytes, then SIGKILL */
    FAULT_KILL_AFTER, /* SIGKILL right behind the call */
    FAULT_N_MODES
} fault_mode;

/* From now on the nth call (1 = the next one) is hit; 0: none. Counting starts anew. */
void fault_plan(fault_mode mode, long nth);
/* Calls since fault_plan(). */
long fault_calls(void);
/* 1 if the planned call came. */
int fault_hit(void);
const char *fault_mode_name(fault_mode m);

/* From now on keep a log of what orders bytes on the disk: a line "fsync PATH" (fdatasync as well)
 * or "rename PATH", its new name, per successful call. Call with 0 to get the log; it lasts until
 * the next call with 1. */
const char *fault_record(int on);

#endif
