# SPDX-License-Identifier: BSD-3-Clause
"""Which functions an element may call, and what is wrong with those that it may not.

Allowed are the core's interface, as the core itself exports it, and functions of the C library that
give the same result for the same arguments, whatever process calls them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache

from elftools.elf.elffile import ELFFile

from ftmb._native import _core  # type: ignore[attr-defined]

# The last line: what the compiler calls by itself, and what each shared object refers to.
PURE = """
    memcpy memmove memset memcmp memchr memrchr memmem mempcpy bcmp
    strlen strnlen strcmp strncmp strcasecmp strncasecmp strchr strrchr strchrnul strstr strspn
    strcspn strpbrk strcpy strncpy stpcpy strcat strncat strtok_r strsep
    strtol strtoul strtoll strtoull __isoc23_strtol __isoc23_strtoul __isoc23_strtoll
    __isoc23_strtoull snprintf vsnprintf sscanf __isoc99_sscanf __isoc23_sscanf
    inet_pton inet_ntop htons htonl ntohs ntohl bsearch abs labs
    __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc tolower toupper
    abort __assert_fail __stack_chk_fail __errno_location __*_chk
    __*[sdt]i[2-4] __cxa_finalize _ITM_* __gmon_start__ _GLOBAL_OFFSET_TABLE_
"""

KINDS = {
    "clock": "time clock clock_* gettimeofday times localtime* gmtime* mktime timespec_get ftime "
    "nanosleep usleep sleep strftime difftime timer*",
    "chance": "rand rand_r srand random* srandom* *rand48* getrandom getentropy arc4random*",
    "identity": "getpid getppid gettid pthread_self sched_getcpu getcpu getenv secure_getenv "
    "environ getauxval gethostname uname sysconf getuid geteuid program_invocation_* "
    "__tls_get_addr syscall setlocale",
    "threads": "pthread_* thrd_* mtx_* cnd_* sem_* fork vfork clone signal sigaction raise kill "
    "futex *_exit exit atexit",
    "io": "printf vprintf fprintf vfprintf dprintf puts putchar fputs fputc fopen fdopen fread "
    "fwrite fclose fflush getc fgets getline open* close read write pread* pwrite* lseek ioctl "
    "fcntl socket connect bind listen accept* send* recv* poll select epoll_* perror syslog "
    "stdout stderr stdin __printf_chk __fprintf_chk __vfprintf_chk popen system exec* dl*",
    "memory": "malloc calloc realloc reallocarray free posix_memalign aligned_alloc memalign "
    "valloc strdup strndup asprintf vasprintf __asprintf_chk mmap* munmap mremap mprotect brk sbrk "
    "cfree alloca",
}


@cache
def interface() -> frozenset[str]:
    """What the core exports to elements."""
    with open(_core.__file__, "rb") as file:
        table = ELFFile(file).get_section_by_name(".dynsym")
        return frozenset(
            symbol.name
            for symbol in table.iter_symbols()
            if symbol["st_shndx"] != "SHN_UNDEF" and not symbol.name.startswith("PyInit")
        )


def kind_of(name: str) -> str | None:
    """Which rule a call of this function breaks; None: none."""
    if name in interface():
        return None
    for kind, patterns in KINDS.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns.split()):
            return kind
    if any(fnmatchcase(name, pattern) for pattern in PURE.split()):
        return None
    return "unknown"
