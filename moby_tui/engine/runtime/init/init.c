/* The first process of a container that was run with --init: it starts the command in a process group of its own, hands it
 * the terminal, passes signals on to it, reaps whatever is left to it, and ends as the command ends (128 + n for signal n).
 *
 * It needs no C library, so it runs in an empty image. Usage: init [--] COMMAND [ARGUMENT ...]
 * Built by `make init` (build.py beside this file); the programs for both processors are kept beside it.
 */

typedef unsigned long word;

#if defined(__x86_64__)
enum { WRITE = 1, IOCTL = 16, GETPID = 39, CLONE = 56, EXECVE = 59, WAIT4 = 61, KILL = 62, SETPGID = 109, SIGACTION = 13,
       SIGPROCMASK = 14, SIGTIMEDWAIT = 128, PRCTL = 157, EXIT_GROUP = 231 };

static long call(long number, word a, word b, word c, word d)
{
    long result;
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = 0;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
#elif defined(__aarch64__)
enum { WRITE = 64, IOCTL = 29, GETPID = 172, CLONE = 220, EXECVE = 221, WAIT4 = 260, KILL = 129, SETPGID = 154, SIGACTION = 134,
       SIGPROCMASK = 135, SIGTIMEDWAIT = 137, PRCTL = 167, EXIT_GROUP = 94 };

static long call(long number, word a, word b, word c, word d)
{
    register word x8 __asm__("x8") = (word)number;
    register word x0 __asm__("x0") = a;
    register word x1 __asm__("x1") = b;
    register word x2 __asm__("x2") = c;
    register word x3 __asm__("x3") = d;
    register word x4 __asm__("x4") = 0;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return (long)x0;
}

__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tand sp, x0, #-16\n\tb begin\n");
#else
#error "only x86_64 and aarch64"
#endif

enum { ENOENT = 2, EINTR = 4, EACCES = 13, ENOTDIR = 20 };
enum { SIGILL = 4, SIGTRAP = 5, SIGABRT = 6, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11, SIGCHLD = 17, SIGTTIN = 21, SIGTTOU = 22, SIGSYS = 31 };
enum { BLOCK = 0, SET_MASK = 2, NO_HANG = 1, TIOCSPGRP = 0x5410, PR_SET_CHILD_SUBREAPER = 36 };

struct action {
    word handler, flags, restorer, mask;
};

static void say(const char *text)
{
    word length = 0;
    while (text[length])
        length++;
    call(WRITE, 2, (word)text, length, 0);
}

static void leave(int code)
{
    for (;;)
        call(EXIT_GROUP, (word)code, 0, 0, 0);
}

static void set_action(int signal, word handler)
{
    struct action action = {handler, 0, 0, 0};
    call(SIGACTION, (word)signal, (word)&action, 0, 8);
}

static word bit(int signal)
{
    return 1UL << (signal - 1);
}

/* execve along PATH, as execvp(3): a place where there is nothing is passed over, one that may not be executed is remembered. */
static long execute(char **arguments, char **environment)
{
    static char path[8192];
    const char *command = arguments[0], *folders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    long result = -ENOENT;
    for (const char *at = command; *at; at++)
        if (*at == '/')
            return call(EXECVE, (word)command, (word)arguments, (word)environment, 0);
    for (char **entry = environment; *entry; entry++)
        if ((*entry)[0] == 'P' && (*entry)[1] == 'A' && (*entry)[2] == 'T' && (*entry)[3] == 'H' && (*entry)[4] == '=')
            folders = *entry + 5;
    for (;;) {
        word length = 0;
        while (*folders && *folders != ':' && length < 4096)
            path[length++] = *folders++;
        if (length)
            path[length++] = '/';
        for (const char *at = command; *at && length < sizeof path - 1; at++)
            path[length++] = *at;
        path[length] = 0;
        long now = call(EXECVE, (word)path, (word)arguments, (word)environment, 0);
        if (now == -EACCES)
            result = now;
        else if (now != -ENOENT && now != -ENOTDIR)
            return now;
        while (*folders && *folders != ':')
            folders++;
        if (!*folders++)
            return result;
    }
}

static void become(char **arguments, char **environment, word mask)
{
    int group = (int)call(GETPID, 0, 0, 0, 0);
    call(SETPGID, 0, 0, 0, 0);
    /* where standard input is no terminal of ours there is nothing to hand over */
    call(IOCTL, 0, TIOCSPGRP, (word)&group, 0);
    set_action(SIGTTIN, 0);
    set_action(SIGTTOU, 0);
    call(SIGPROCMASK, SET_MASK, (word)&mask, 0, 8);
    long result = execute(arguments, environment);
    say("init: cannot execute ");
    say(arguments[0]);
    say(result == -ENOENT ? ": no such file or directory\n" : result == -EACCES ? ": permission denied\n" : ": it is no program\n");
    leave(result == -ENOENT ? 127 : 126);
}

/* Takes leave of every process that has ended; ends with the command when it is among them. */
static void reap(long command)
{
    for (;;) {
        int status = 0;
        long pid = call(WAIT4, (word)-1, (word)&status, NO_HANG, 0);
        if (pid <= 0)
            return;
        if (pid == command)
            leave(status & 0x7f ? 128 + (status & 0x7f) : (status >> 8) & 0xff);
    }
}

__attribute__((used, noreturn)) void begin(word *stack)
{
    char **arguments = (char **)(stack + 1), **environment = arguments + stack[0] + 1;
    if (stack[0] > 1 && arguments[1][0] == '-' && arguments[1][1] == '-' && !arguments[1][2])
        arguments++;
    if (!arguments[0] || !*++arguments) {
        say("init: name the command to run\n");
        leave(2);
    }
    /* our own faults must end us; the terminal's two are ignored until the command has it */
    word faults = bit(SIGILL) | bit(SIGTRAP) | bit(SIGABRT) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGSEGV) | bit(SIGSYS);
    word passed = ~(faults | bit(SIGTTIN) | bit(SIGTTOU)), mask = 0;
    call(SIGPROCMASK, BLOCK, (word)&passed, (word)&mask, 8);
    set_action(SIGTTIN, 1);
    set_action(SIGTTOU, 1);
    if (call(GETPID, 0, 0, 0, 0) != 1)
        call(PRCTL, PR_SET_CHILD_SUBREAPER, 1, 0, 0);
    long command = call(CLONE, SIGCHLD, 0, 0, 0);
    if (command == 0)
        become(arguments, environment, mask);
    if (command < 0) {
        say("init: cannot make a process\n");
        leave(126);
    }
    for (;;) {
        long signal = call(SIGTIMEDWAIT, (word)&passed, 0, 0, 8);
        if (signal == SIGCHLD)
            reap(command);
        else if (signal > 0)
            call(KILL, (word)command, (word)signal, 0, 0);
    }
}
