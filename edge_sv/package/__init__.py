"""Device packages: a folder that an engineer drops into a project.

`write_package` makes it, `read_package` opens it. Opening needs no runtime, template engine or model reader, and
importing this package loads none, so that it works on devices that have only the runtime of their choice.
"""

from edge_sv.package.budget import Footprint, check_budget
from edge_sv.package.manifest import Manifest
from edge_sv.package.read import DevicePackage, read_package
from edge_sv.package.write import estimate_footprint, write_package

__all__ = [
    "DevicePackage",
    "Footprint",
    "Manifest",
    "check_budget",
    "estimate_footprint",
    "read_package",
    "write_package",
]
