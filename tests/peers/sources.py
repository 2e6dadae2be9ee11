"""What images are made of here."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import namespaces
from trees import Entry, everything

#: Every engine's containers are given these, over what the image has.
MOUNTED = ("proc", "sys", "dev", "run", "etc", ".dockerenv")
#: Whiteouts and opaque folders over several layers, links to and copies of what lower layers have, and what only a step can make.
DOCKERFILE = """\
FROM {base}
ADD everything.tar /every/
RUN rm -r /every/d/e /every/fifo && mkdir /every/d/e && echo new > /every/d/e/new && rm -r /every/d/sticky
RUN ln /every/capable /every/d/same && echo more >> /every/sparse && chmod 2755 /every/d && chown 12:34 /every/null
RUN mv /every/d/e /every/moved && echo file > /every/d/e && mknod -m 640 /every/fifo p && mknod -m 600 /every/zero c 1 5 && \\
    mv /every/d/link /every/d/moved-link
RUN rm -r /every/moved && ln -s /nowhere /every/moved && touch -d '2001-02-03 04:05:06' /every/d /every/null && \\
    mkdir -p -m 1777 /every/{long}/{long} && touch "/every/{long}/{long}/$(printf 'a\\377b')" && \\
    dd if=/dev/zero of=/every/holes bs=1 count=1 seek=5M
COPY --chown=1234:5678 own /every/own/
LABEL of=peers
CMD ["true"]
"""


def context(folder: Path, base: str, *, link_to_link: bool = True) -> Path:
    """Of an image with one of everything, in many layers. ``link_to_link``: a hard link to a symbolic one, which buildah cannot add."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    everything(tree)
    if not link_to_link:
        (tree / "hard-to-link").unlink()
    made = folder / "context"
    (made / "own").mkdir(parents=True)
    archive(tree, made / "everything.tar")
    shutil.rmtree(tree)
    for name in ("setgid", "plain"):
        (made / "own" / name).write_text(name)
        os.utime(made / "own" / name, ns=(10**18, 10**18 + 123456789))
    (made / "own/setgid").chmod(0o2750)
    (made / "Dockerfile").write_text(DOCKERFILE.format(base=base, long="long" * 30))
    return made


def archive(tree: Path, path: Path) -> None:
    """All of a tree."""
    options = ("--format=pax", "--xattrs", "--xattrs-include=*", "--numeric-owner", "--sparse")
    subprocess.run(["tar", *options, "-cf", str(path), "-C", str(tree), "."], check=True)


def of_the_image(tree: dict[str, Entry]) -> dict[str, Entry]:
    return {path: entry for path, entry in tree.items() if path.partition("/")[0] not in MOUNTED}


def differences(theirs: dict[str, Entry], ours: dict[str, Entry]) -> dict[str, tuple[Entry | None, Entry | None]]:
    names = sorted(theirs.keys() | ours.keys())
    return {name: (theirs.get(name), ours.get(name)) for name in names if theirs.get(name) != ours.get(name)}


def outside(*command: str | Path) -> str:
    """Runs a command on the machine's network; its output."""
    done = subprocess.run(["nsenter", f"--net={os.environ[namespaces.NETWORK]}", *command], capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {(done.stdout + done.stderr).strip()[-2000:]}"
    return done.stdout


def debian(folder: Path) -> Path:
    """A root that debootstrap makes of this machine's own mirror and release, as a tar, made once for all workers."""
    made = folder / "debian.tar"
    with open(folder / "debian.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            root = folder / "debian"
            suite, mirror = _mirror()
            outside("unshare", "--mount", "debootstrap", "--variant=minbase", "--include=python3", suite, root, mirror)
            shutil.rmtree(root / "var/cache/apt/archives")
            archive(root, made.with_suffix(".half"))
            shutil.rmtree(root)
            made.with_suffix(".half").rename(made)
    return made


def _mirror() -> tuple[str, str]:
    """Code name and address of the distribution, as apt knows them."""
    asked = ("--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages", "Label: Debian", "Component: main")
    lines = outside("apt-get", "indextargets", *asked).splitlines()
    found = [line.split() for line in lines if "-" not in line.split()[0]]
    assert found, "apt knows no Debian: debootstrap has nothing to make a root of"
    return found[0][0], found[0][1]


def wheels(folder: Path, package: str) -> None:
    """A package and what it needs, in the versions that the project knows to work, and the installer itself."""
    project = Path(__file__).parents[2]
    options = ("-q", "--disable-pip-version-check", "--only-binary=:all:", "-c", project / "requirements.lock", "-d", folder)
    outside(sys.executable, "-m", "pip", "download", *options, package)
    found = importlib.util.find_spec("pip")
    assert found is not None and found.origin is not None
    shutil.copytree(Path(found.origin).parent, folder / "pip", ignore=shutil.ignore_patterns("__pycache__"))
