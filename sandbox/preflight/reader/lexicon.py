"""Which functions, crates, variables and programs stand for which kind of sighting."""

from __future__ import annotations

import re


def _each(kind: str, words: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), kind)


PATHS: dict[str, str] = {
    **_each(
        "network",
        "std::net::TcpStream std::net::TcpListener std::net::UdpSocket std::net::ToSocketAddrs std::net::lookup_host "
        "std::os::unix::net tokio::net async_std::net smol::net async_net mio::net reqwest ureq hyper hyper_util curl "
        "attohttpc minreq isahc surf ehttp http_req chttp native_tls rustls tokio_rustls openssl::ssl tungstenite "
        "tokio_tungstenite websocket ssh2 russh thrussh trust_dns_resolver hickory_resolver hickory_client dns_lookup "
        "socket2 lettre suppaftp ftp rusoto_core aws_sdk_s3 octocrab teloxide serenity self_update sentry quinn awc "
        "tonic::transport zmq nng libc::socket libc::connect libc::sendto libc::getaddrinfo nix::sys::socket "
        "rustix::net "
        "winapi::um::winsock2 windows_sys::Win32::Networking cargo_download download_rs ipfs_api "
        "git2::build::RepoBuilder "
        "git2::Repository::clone gix::clone gix::prepare_clone",
    ),
    **_each(
        "spawn",
        "std::process::Command::new tokio::process async_process duct xshell cmd_lib run_script subprocess "
        "run_script execute command_group shell_exec cmd::run nix::unistd::execve nix::unistd::execv "
        "nix::unistd::execvp "
        "libc::system libc::popen libc::execve libc::execv libc::execvp libc::execl libc::execlp libc::posix_spawn "
        "libc::posix_spawnp winapi::um::processthreadsapi::CreateProcessW winapi::um::shellapi::ShellExecuteW "
        "windows_sys::Win32::System::Threading::CreateProcessW windows_sys::Win32::UI::Shell::ShellExecuteW open::that "
        "opener::open webbrowser::open",
    ),
    **_each("detach", "libc::fork libc::setsid libc::daemon nix::unistd::fork nix::unistd::setsid nix::unistd::daemon "
                      "daemonize fork::daemon fork::fork rustix::process::setsid"),
    **_each("env-all", "std::env::vars std::env::vars_os libc::environ"),
    **_each("env-home", "std::env::home_dir dirs dirs_next dirs_sys directories directories_next "
                        "home::home_dir home_dir "
                        "etcetera simple_home_dir shellexpand::tilde"),
    **_each("dotenv", "dotenv dotenvy"),
    **_each("env-user", "whoami hostname::get gethostname sysinfo machine_uid mac_address users uzers "
                        "nix::unistd::gethostname libc::gethostname rustix::system::uname nix::sys::utsname "
                        "get_if_addrs "
                        "local_ip_address if_addrs"),
    **_each("temp-folder", "std::env::temp_dir tempfile temp_dir mktemp tempdir"),
    **_each("clock", "std::time::SystemTime chrono::Utc::now chrono::Local::now chrono::offset::Utc::now "
                     "chrono::offset::Local::now time::OffsetDateTime::now_utc jiff::Timestamp::now jiff::Zoned::now"),
    **_each("sleep", "std::thread::sleep tokio::time::sleep"),
    **_each(
        "decode",
        "base64 base64_simd base64ct data_encoding base32 bs58 base85 hex::decode hex::FromHex faster_hex::hex_decode "
        "hex_literal rc4 aes aes_gcm chacha20 chacha20poly1305 salsa20 blowfish des cipher magic_crypt "
        "simplecrypt xor_utils "
        "openssl::symm openssl::base64 ring::aead urlencoding::decode percent_encoding::percent_decode_str rot13",
    ),
    **_each("obfuscation", "obfstr litcrypt litcrypt2 cryptify goldberg obfuse include_crypt obfustring muddy "
                           "lazy_obf"),
    **_each(
        "write",
        "std::fs::write std::fs::File::create std::fs::File::create_new std::fs::File::options std::fs::OpenOptions "
        "std::fs::copy std::fs::rename std::fs::hard_link std::os::unix::fs::symlink fs_err::write "
        "fs_err::File::create",
    ),
    **_each("delete", "std::fs::remove_file std::fs::remove_dir std::fs::remove_dir_all fs_err::remove_dir_all "
                      "remove_dir_all libc::unlink"),
    **_each("dlopen", "libloading dlopen dlopen2 libc::dlopen sharedlib winapi::um::libloaderapi::LoadLibraryW "
                      "windows_sys::Win32::System::LibraryLoader"),
    **_each("memory-exec", "libc::memfd_create libc::fexecve libc::execveat nix::sys::memfd memfd memfd_exec "
                           "rustix::fs::memfd_create nix::unistd::fexecve rspe memexec region::protect "
                           "libc::mprotect winapi::um::memoryapi::VirtualAlloc memmap2::MmapMut::make_exec"),
    **_each("raw-call", "libc::syscall syscalls::syscall syscall::syscall sc::syscall std::arch::asm core::arch::asm"),
    **_each("kernel-call", "libc::ptrace libc::unshare libc::setns libc::mount libc::umount libc::process_vm_readv "
                           "libc::process_vm_writev libc::bpf libc::init_module libc::chroot libc::pivot_root "
                           "nix::sys::ptrace nix::sched::unshare nix::sched::setns nix::mount rustix::thread::unshare "
                           "io_uring tokio_uring rio"),
}  # fmt: skip

FOREIGN: dict[str, str] = {
    **_each("kernel-call", "ptrace unshare setns mount umount2 process_vm_readv process_vm_writev bpf init_module "
                           "finit_module chroot pivot_root io_uring_setup userfaultfd keyctl perf_event_open "
                           "kexec_load"),
    **_each("memory-exec", "memfd_create fexecve execveat VirtualAlloc VirtualProtect WriteProcessMemory "
                           "CreateRemoteThread NtCreateThreadEx mprotect"),
    **_each("spawn-computed", "system popen execve execv execvp execl execlp posix_spawn posix_spawnp CreateProcessA "
                              "CreateProcessW ShellExecuteA ShellExecuteW WinExec"),
    **_each("detach", "fork vfork setsid daemon clone"),
    **_each("raw-call", "syscall"),
    **_each("dlopen", "dlopen dlsym dlmopen LoadLibraryA LoadLibraryW LoadLibraryExW"),
    **_each("network", "socket connect sendto sendmsg getaddrinfo gethostbyname WSAStartup WinHttpOpen InternetOpenA "
                       "InternetOpenW URLDownloadToFileA URLDownloadToFileW"),
    **_each("env-user", "gethostname getlogin getpwuid uname"),
}  # fmt: skip
"""Functions by the name that foreign blocks declare them with."""

METHODS: dict[str, str] = {
    **_each("network", "to_socket_addrs"),
    **_each("detach", "process_group pre_exec setsid"),
    **_each("chmod-exec", "set_mode from_mode mode"),
    **_each("spawn", "to_command"),
}
"""Methods that say enough by their name. `chmod-exec` counts with an executable mode only."""

NUMBERS_OF_CALLS = {
    319: "memfd_create (x86-64)", 279: "memfd_create (arm64)", 322: "execveat (x86-64)", 281: "execveat (arm64)",
    101: "ptrace (x86-64)", 117: "ptrace (arm64)", 272: "unshare (x86-64)", 425: "io_uring_setup",
    426: "io_uring_enter", 321: "bpf (x86-64)", 310: "process_vm_readv (x86-64)", 311: "process_vm_writev (x86-64)",
}  # fmt: skip
"""Kernel calls by number that no build needs. Source: Linux, arch/*/entry/syscalls."""

PROGRAMS: dict[str, str] = {
    **_each("download-tool", "curl wget aria2c fetch http https xh scp sftp rsync ftp tftp gh"),
    **_each("shell", "sh bash dash zsh ksh fish ash cmd cmd.exe powershell powershell.exe pwsh pwsh.exe"),
    **_each("odd-program", "nc ncat netcat socat nslookup dig telnet ssh ssh-keygen sshpass gpg "
                           "security osascript wscript wscript.exe cscript cscript.exe mshta mshta.exe rundll32 "
                           "rundll32.exe regsvr32 regsvr32.exe certutil certutil.exe bitsadmin msiexec xclip pbpaste "
                           "screencapture chattr insmod sudo doas su docker podman kubectl nsenter unshare mount "
                           "claude gemini codex"),
    **_each("host-program", "uname hostname whoami id ifconfig ipconfig ip netstat ss ps who last lsof systeminfo "
                            "dmidecode lscpu lsusb printenv set env"),
    **_each("persist-program", "crontab at batch systemctl launchctl schtasks schtasks.exe loginctl update-rc.d "
                               "chkconfig"),
}  # fmt: skip

SECRET_NAME = re.compile(
    r"(?i)(?:TOKEN|SECRET|PASSWD|PASSWORD|PASSPHRASE|CREDENTIAL|PRIVATE_?KEY|API_?KEY|ACCESS_?KEY|RPC_?KEY|AUTH_?KEY|"
    r"MNEMONIC|SEED_?PHRASE|SSH_AUTH_SOCK|^AWS_SE|^AZURE_CLIENT|GOOGLE_APPLICATION|^NETRC$|WALLET)"
)
CI_NAMES = frozenset(
    "CI GITHUB_ACTIONS GITLAB_CI CIRCLECI TRAVIS JENKINS_URL BUILDKITE TF_BUILD APPVEYOR TEAMCITY_VERSION DRONE "
    "BITBUCKET_BUILD_NUMBER CIRRUS_CI CONTINUOUS_INTEGRATION BUILD_NUMBER RUN_ID CODEBUILD_BUILD_ID".split()
)
HOME_NAMES = frozenset("HOME USERPROFILE APPDATA LOCALAPPDATA XDG_CONFIG_HOME XDG_DATA_HOME HOMEPATH".split())
USER_NAMES = frozenset("USER USERNAME LOGNAME HOSTNAME COMPUTERNAME USERDOMAIN SUDO_USER".split())
READS_VARIABLE = frozenset({"std::env::var", "std::env::var_os"})
VARIABLE_MACROS = frozenset({"env", "option_env"})
ASSEMBLER = frozenset({"asm", "global_asm", "naked_asm", "llvm_asm"})
QUOTES = frozenset("quote quote_spanned parse_quote parse_quote_spanned quote_into".split())
"""Macros whose argument is code for others. They count as such only where they come from these packages."""
QUOTING = frozenset({"quote", "syn", "proc_macro", "venial", "unsynn"})
UNMISTAKABLE = frozenset("memfd_create fexecve execveat ptrace io_uring_setup process_vm_writev".split())
"""Names that stand for the kernel call wherever they are, as a number's name too."""
WELL_KNOWN = frozenset(
    "quote syn proc_macro2 unicode_ident heck cc cmake pkg_config vcpkg autocfg rustversion version_check bindgen "
    "find_msvc_tools darling proc_macro_crate proc_macro_error proc_macro_error2 itertools regex serde serde_json toml "
    "semver walkdir glob prost_build tonic_build prost_types rayon once_cell lazy_static anyhow thiserror either rand "
    "indexmap hashbrown phf phf_codegen phf_shared flate2 zip tar xz2 zstd time chrono log memchr convert_case "
    "cfg_aliases system_deps num_cpus cxx_build clang_sys pyo3_build_config napi_build protobuf_codegen "
    "winnow nom pest pest_meta lalrpop vergen vergen_gitcl built shadow_rs git2 tokio url sha2 md5 uuid "
    "cargo_metadata cargo_platform".split()
)
"""Libraries of crates.io that build-time code calls for what everybody knows them for. They are not followed into."""
FORKS = frozenset("fork vfork setsid".split())
"""Functions that are known by their name where they are called."""
GIT_FETCHES = frozenset("clone fetch pull ls-remote".split())
GIT_CONTENT = frozenset("diff format-patch bundle archive".split())
PUBLISHES = frozenset("publish login owner yank".split())
SCRATCH = ("/tmp/", "/var/tmp/", "/dev/shm/")
HARMLESS_FILES = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})


def longest(path: tuple[str, ...]) -> str:
    """What the longest known beginning of a path stands for; empty for an unknown one."""
    if path[:1] in (("core",), ("alloc",)):
        path = ("std", *path[1:])
    for size in range(min(len(path), 5), 0, -1):
        kind = PATHS.get("::".join(path[:size]))
        if kind:
            return kind
    return ""


def variable_kind(name: str) -> str:
    """What asking for an environment variable stands for; empty for an ordinary one."""
    if name in CI_NAMES:
        return "env-ci"
    if name in HOME_NAMES:
        return "env-home"
    if name in USER_NAMES:
        return "env-user"
    return "env-secret" if SECRET_NAME.search(name) else ""


def program_kind(program: str) -> str:
    """What starting a program by this name or path stands for."""
    if program.startswith(SCRATCH):
        return "spawn-scratch"
    return PROGRAMS.get(program.replace("\\", "/").rpartition("/")[2].lower(), "spawn")
