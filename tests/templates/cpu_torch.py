"""Makes the torch of the Python registry usable without the libraries of CUDA, which are 4 GB large.

On Linux that torch is linked with them, so it does not start without them, also on a machine without a GPU. This
script builds empty stand-ins beside torch: a function of theirs ends the process. The tests use the CPU only.

    python cpu_torch.py SITE_PACKAGES
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def read(program: str, *arguments: str | Path) -> str:
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


def needed(library: Path) -> set[str]:
    """Returns the names of the libraries that this one needs."""
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", read("readelf", "--dynamic", library)))


def symbols(library: Path, kind: str) -> set[str]:
    """Returns the names that this library defines, or needs and does not define."""
    rows = read("nm", "--dynamic", f"--{kind}-only", library).splitlines()
    # A weak name may stay without a definition.
    return {row.split()[-1].split("@")[0] for row in rows if row.split()[-2] not in "wv"}


def main(packages: Path) -> None:
    folder = packages / "torch" / "lib"
    if not (folder / "libtorch_cuda.so").exists():
        print("this torch needs no stand-ins")
        return
    libraries = sorted(folder.glob("*.so*"))
    present = {library.name for library in libraries}
    system = read("/sbin/ldconfig", "-p")
    missing = sorted(
        name
        for name in set().union(*map(needed, libraries)) - present
        if not re.search(rf"^\s*{re.escape(name)} ", system, re.MULTILINE)
    )
    wanted = set().union(*(symbols(library, "undefined") for library in libraries))
    defined = set().union(*(symbols(library, "defined") for library in libraries))
    # The names of CUDA's libraries. All others belong to the system.
    prefixes = ("cu", "nccl", "nvml", "nvshmem", "nvrtc", "nvtx", "__cuda")
    names = sorted(name for name in wanted - defined if name.startswith(prefixes))
    source = folder / "stand-in.c"
    for index, library in enumerate(missing):
        # One of them has all functions, because the linker looks for a name in all libraries.
        functions = names if index == 0 else []
        source.write_text("void abort(void);\n" + "".join(f"void {name}(void) {{ abort(); }}\n" for name in functions))
        options = ["-shared", "-fPIC", "-w", "-fno-builtin", f"-Wl,-soname,{library}"]
        subprocess.run(["cc", *options, "-o", folder / library, source], check=True)
    source.unlink(missing_ok=True)
    print(f"{len(missing)} stand-ins with {len(names)} functions")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
