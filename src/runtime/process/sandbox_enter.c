/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "sandbox_enter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* <sys/mount.h> and <linux/mount.h> cannot be included together with every libc. */
extern int mount(const char*, const char*, const char*, unsigned long, const void*);
#ifndef MS_RDONLY
#define MS_RDONLY 1
#define MS_NOSUID 2
#define MS_NODEV 4
#define MS_REMOUNT 32
#define MS_BIND 4096
#define MS_REC 16384
#define MS_PRIVATE (1 << 18)
#endif

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000 /* of <linux/fcntl.h>, which does not go together with <fcntl.h> */
#endif

static char* append_text(char* out, const char* text) {
    while (*text) *out++ = *text++;
    return out;
}

static char* append_number(char* out, uint64_t n) {
    char digits[20];
    int count = 0;
    do digits[count++] = (char)('0' + n % 10);
    while (n /= 10);
    while (count) *out++ = digits[--count];
    return out;
}

static int write_file(const char* path, const char* text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    const ssize_t n = write(fd, text, strlen(text));
    const int error = errno;
    close(fd);
    errno = error;
    return n < 0 ? -1 : 0;
}

static int mount_tmpfs(const char* path, uint64_t bytes, unsigned long more_flags) {
    char options[64];
    char* end = append_text(options, "mode=1777,nr_inodes=100k,size=");
    end = append_number(end, bytes);
    *end = 0;
    return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | more_flags, options);
}

static int make_read_only(const char* path) {
    /* mount_setattr keeps flags that a user namespace may not clear; the old remount would have to repeat
     * them. */
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    if (syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &attributes, sizeof attributes) == 0) return 0;
    if (errno != ENOSYS) return -1;
    return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
}

static int bind_read_only(const char* source, const char* path) {
    if (mount(source, path, NULL, MS_BIND, NULL) != 0) return -1;
    return make_read_only(path);
}

int hks_sandbox_bind_code(const char* code_source, const char* code_path, uint64_t tmp_bytes) {
    if (bind_read_only(code_source, code_path) != 0) return errno;
    if (mount_tmpfs("/tmp", tmp_bytes, MS_REMOUNT) != 0) return errno;
    return 0;
}

int hks_sandbox_attach_code(int tree, const char* code_path, uint64_t tmp_bytes) {
    if (syscall(SYS_move_mount, tree, "", AT_FDCWD, code_path, MOVE_MOUNT_F_EMPTY_PATH) != 0) return errno;
    if (make_read_only(code_path) != 0) return errno;
    if (mount_tmpfs("/tmp", tmp_bytes, MS_REMOUNT) != 0) return errno;
    return 0;
}

struct entry {
    const struct hks_sandbox_spec* spec;
    const int* fds;
    int fd_count;
    int page; /* -1 = nobody reads the report */
    int root; /* two steps: spec->code_source as it was before /tmp covered it; else -1 */
    struct hks_sandbox_report report;
};

static int descriptor(const struct entry* e, int32_t index) {
    return index >= 0 && index < e->fd_count ? e->fds[index] : -1;
}

static struct entry entry_of(const struct hks_sandbox_spec* spec, const int* fds, int fd_count) {
    struct entry e = {.spec = spec, .fds = fds, .fd_count = fd_count, .root = -1};
    e.page = descriptor(&e, spec->page_fd);
    return e;
}

static bool wants(const struct entry* e, enum hks_layer layer) {
    return (e->spec->wanted >> layer & 1u) != 0;
}

static void publish(const struct entry* e) {
    if (e->page >= 0 && pwrite(e->page, &e->report, sizeof e->report, HKS_SANDBOX_REPORT_OFFSET) < 0) return;
}

/* Notes how a layer went; false when the process must not go on. */
static bool settle(struct entry* e, enum hks_layer layer, int result) {
    if (result == 0) {
        e->report.in_force |= 1u << layer;
        return true;
    }
    e->report.error[layer] = errno ? (uint32_t)errno : (uint32_t)EINVAL;
    if ((e->spec->required >> layer & 1u) == 0) return true;
    e->report.failed = (uint32_t)layer + 1;
    publish(e);
    return false;
}

static int join_cgroups(const struct entry* e) {
    int joined = 0;
    for (int i = 0; i < HKS_SANDBOX_MAX_CGROUPS; i++) {
        const int fd = descriptor(e, e->spec->cgroup_fd[i]);
        if (fd < 0) continue;
        if (write(fd, "0", 1) != 1) return -1;
        joined++;
    }
    errno = ENOENT;
    return joined > 0 ? 0 : -1;
}

static int map_id(const char* path, uint32_t id) {
    char line[48];
    char* end = append_number(line, id);
    *end++ = ' ';
    end = append_number(end, id);
    *append_text(end, " 1") = 0;
    return write_file(path, line);
}

static int enter_user_namespace(void) {
    const uint32_t uid = geteuid();
    const uint32_t gid = getegid();
    if (unshare(CLONE_NEWUSER) != 0) return -1;
    /* Absent before Linux 3.19; refused mappings show below. */
    (void)write_file("/proc/self/setgroups", "deny");
    if (map_id("/proc/self/uid_map", uid) != 0) return -1;
    return map_id("/proc/self/gid_map", gid);
}

static int enter_mount_namespace(void) {
    if (unshare(CLONE_NEWNS) != 0) return -1;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int make_private_tmp(const struct hks_sandbox_spec* spec) {
    if (mount_tmpfs("/tmp", spec->tmp_bytes, 0) != 0) return -1;
    /* One file system, so that one bound holds for all. Absent in small containers: nothing to hide then. */
    if (mount("/tmp", "/dev/shm", NULL, MS_BIND, NULL) != 0 && errno != ENOENT) return -1;
    if (mount("/tmp", "/var/tmp", NULL, MS_BIND, NULL) != 0 && errno != ENOENT) return -1;
    return 0;
}

/* Whoever may write to a folder of the host (/run/lock, say) would leave files behind there. */
static int make_host_read_only(void) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    return (int)syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof attributes);
}

static int set_limit(int resource, uint64_t value) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) return -1;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < value) value = limit.rlim_max;
    limit.rlim_cur = limit.rlim_max = value;
    return setrlimit(resource, &limit);
}

static int set_limits(const struct hks_sandbox_spec* spec, uint64_t file_bytes) {
    if (set_limit(RLIMIT_CORE, 0) != 0) return -1;
    if (set_limit(RLIMIT_NOFILE, spec->open_files) != 0) return -1;
    if (file_bytes != 0 && set_limit(RLIMIT_FSIZE, file_bytes) != 0) return -1;
    if (spec->processes != 0 && set_limit(RLIMIT_NPROC, spec->processes) != 0) return -1;
    return 0;
}

static int drop_bounding_set(void) {
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            if (errno == EINVAL) return 0; /* past the last one that this kernel knows */
            return -1;
        }
    }
    return 0;
}

static int drop_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return (int)syscall(SYS_capset, &header, none);
}

static int become_uid(const struct hks_sandbox_spec* spec) {
    if (setgroups(0, NULL) != 0) return -1;
    if (setresgid(spec->gid, spec->gid, spec->gid) != 0) return -1;
    return setresuid(spec->uid, spec->uid, spec->uid);
}

/* Moves descriptor i of the array to `target` once all sources are out of the way of the targets. */
static int place(const int* lifted, int slot, int target) {
    if (lifted[slot] < 0) return 0;
    return dup3(lifted[slot], target, 0) < 0 ? -1 : 0;
}

static int arrange_descriptors(const struct entry* e) {
    const struct hks_sandbox_spec* spec = e->spec;
    const int32_t wanted[5] = {spec->stdout_fd, spec->stderr_fd, spec->connection_fd, spec->page_fd,
                               spec->source_fd};
    int lifted[6];
    lifted[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (lifted[0] < 0) return -1;
    for (int i = 0; i < 5; i++) lifted[i + 1] = descriptor(e, wanted[i]);
    if (e->root >= 0) lifted[HKS_SANDBOX_ROOT_FD] = e->root;
    for (int i = 0; i < 6; i++) {
        if (lifted[i] < 0) continue;
        lifted[i] = fcntl(lifted[i], F_DUPFD_CLOEXEC, 16);
        if (lifted[i] < 0) return -1;
    }
    int last = 0;
    for (int i = 0; i < 6; i++) {
        if (place(lifted, i, i) != 0) return -1;
        if (lifted[i] >= 0) last = i;
    }
    if (syscall(SYS_close_range, (unsigned)last + 1, ~0u, 0u) == 0) return 0;
    if (errno != ENOSYS) return -1;
    for (int fd = last + 1; fd < 65536; fd++) close(fd);
    return 0;
}

static bool enter_namespaces(struct entry* e, bool two_steps) {
    const struct hks_sandbox_spec* spec = e->spec;
    if (wants(e, HKS_LAYER_USER_NAMESPACE) && !settle(e, HKS_LAYER_USER_NAMESPACE, enter_user_namespace()))
        return false;
    if (!wants(e, HKS_LAYER_MOUNT_NAMESPACE)) return true;
    if (!settle(e, HKS_LAYER_MOUNT_NAMESPACE, enter_mount_namespace())) return false;
    if ((e->report.in_force >> HKS_LAYER_MOUNT_NAMESPACE & 1u) == 0) return true;
    if (wants(e, HKS_LAYER_HOST_READ_ONLY) && !settle(e, HKS_LAYER_HOST_READ_ONLY, make_host_read_only()))
        return false;
    /* The code first: it may itself lie below /tmp. */
    if (two_steps)
        e->root = open(spec->code_source, O_PATH | O_DIRECTORY | O_CLOEXEC);
    else if (wants(e, HKS_LAYER_CODE_READ_ONLY) && spec->code_source[0] &&
        !settle(e, HKS_LAYER_CODE_READ_ONLY, bind_read_only(spec->code_source, spec->code_path)))
        return false;
    return !wants(e, HKS_LAYER_PRIVATE_TMP) || settle(e, HKS_LAYER_PRIVATE_TMP, make_private_tmp(spec));
}

static bool drop_privileges(struct entry* e, uint64_t file_bytes) {
    const struct hks_sandbox_spec* spec = e->spec;
    if (wants(e, HKS_LAYER_RLIMITS) && !settle(e, HKS_LAYER_RLIMITS, set_limits(spec, file_bytes)))
        return false;
    const bool capabilities = wants(e, HKS_LAYER_CAPABILITIES);
    const int bounding = capabilities ? drop_bounding_set() : 0;
    const int bounding_error = errno;
    if (wants(e, HKS_LAYER_OWN_UID) && !settle(e, HKS_LAYER_OWN_UID, become_uid(spec))) return false;
    if (capabilities) {
        int result = drop_capabilities();
        if (result == 0 && bounding != 0) {
            /* Without the right to shrink it the process has nothing that the set could give back, see below.
             */
            errno = bounding_error;
            result = bounding_error == EPERM ? 0 : -1;
        }
        if (!settle(e, HKS_LAYER_CAPABILITIES, result)) return false;
    }
    if (wants(e, HKS_LAYER_NO_NEW_PRIVS) &&
        !settle(e, HKS_LAYER_NO_NEW_PRIVS, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
        return false;
    return !wants(e, HKS_LAYER_NOT_DUMPABLE) ||
           settle(e, HKS_LAYER_NOT_DUMPABLE, prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

static void prepare_process(const struct hks_sandbox_spec* spec) {
    umask(022);
    char text[24];
    char* end = text;
    if (spec->oom_score_adj < 0) *end++ = '-';
    *append_number(
        end, (uint64_t)(spec->oom_score_adj < 0 ? -(int64_t)spec->oom_score_adj : spec->oom_score_adj)) = 0;
    /* A hint for the host's own out-of-memory killer: functions go before the server. */
    (void)write_file("/proc/self/oom_score_adj", text);
    /* Sleeps end when they should: 50 µs of slack are a share of a millisecond. */
    (void)prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    if (spec->subreaper) (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    /* A folder that stays root's is one the instance cannot use; TMPDIR then fails where it is used, with its
     * name. */
    if (spec->work_dir[0] && mkdir(spec->work_dir, 0700) == 0 && geteuid() == 0 &&
        lchown(spec->work_dir, spec->uid, spec->gid) != 0)
        rmdir(spec->work_dir);
}

static bool begin(struct entry* e, bool two_steps) {
    if (e->spec->size != sizeof *e->spec) return false;
    if (wants(e, HKS_LAYER_SESSION) && !settle(e, HKS_LAYER_SESSION, setsid() < 0 ? -1 : 0)) return false;
    if (wants(e, HKS_LAYER_CGROUP) && !settle(e, HKS_LAYER_CGROUP, join_cgroups(e))) return false;
    prepare_process(e->spec);
    return enter_namespaces(e, two_steps);
}

static void go_home(const struct entry* e) {
    const bool private_tmp = (e->report.in_force >> HKS_LAYER_PRIVATE_TMP & 1u) != 0;
    const char* home = private_tmp ? "/tmp" : e->spec->work_dir;
    if (home[0] == 0 || chdir(home) != 0) (void)!chdir("/");
}

int hks_sandbox_enter(const struct hks_sandbox_spec* spec, const int* fds, int fd_count) {
    struct entry e = entry_of(spec, fds, fd_count);
    if (!begin(&e, false)) return -1;
    if (!drop_privileges(&e, spec->file_bytes)) return -1;
    go_home(&e);
    e.report.in_force |= 1u << HKS_LAYER_DESCRIPTORS;
    publish(&e);
    return arrange_descriptors(&e);
}

int hks_sandbox_prepare(const struct hks_sandbox_spec* spec, const int* fds, int fd_count) {
    struct entry e = entry_of(spec, fds, fd_count);
    if (!begin(&e, true)) return -1;
    go_home(&e);
    /* Nobody of the same uid may look into it before it is bound, either. */
    if (wants(&e, HKS_LAYER_NOT_DUMPABLE)) (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    e.report.in_force |= 1u << HKS_LAYER_DESCRIPTORS;
    publish(&e);
    return arrange_descriptors(&e);
}

static int bind_below_root(const char* code, const char* code_path) {
    char source[1100];
    char* end = append_text(source, "/proc/self/fd/");
    end = append_number(end, HKS_SANDBOX_ROOT_FD);
    *end++ = '/';
    if (strlen(code) >= sizeof source - (size_t)(end - source)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    *append_text(end, code) = 0;
    return bind_read_only(source, code_path);
}

int hks_sandbox_bind(const struct hks_sandbox_spec* spec, const char* code, uint64_t tmp_bytes,
                     uint64_t file_bytes) {
    struct entry e = {.spec = spec, .page = HKS_SANDBOX_PAGE_FD, .root = -1};
    if (pread(e.page, &e.report, sizeof e.report, HKS_SANDBOX_REPORT_OFFSET) != sizeof e.report) return -1;
    const bool mounts = (e.report.in_force >> HKS_LAYER_MOUNT_NAMESPACE & 1u) != 0;
    if (mounts && wants(&e, HKS_LAYER_CODE_READ_ONLY) &&
        !settle(&e, HKS_LAYER_CODE_READ_ONLY, bind_below_root(code, spec->code_path)))
        return -1;
    close(HKS_SANDBOX_ROOT_FD);
    if ((e.report.in_force >> HKS_LAYER_PRIVATE_TMP & 1u) != 0 && tmp_bytes != spec->tmp_bytes &&
        !settle(&e, HKS_LAYER_PRIVATE_TMP, mount_tmpfs("/tmp", tmp_bytes, MS_REMOUNT)))
        return -1;
    if (!drop_privileges(&e, file_bytes)) return -1;
    publish(&e);
    return 0;
}
