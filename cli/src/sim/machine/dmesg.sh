#!/bin/sh
# Stand-in for dmesg: a kernel's log of its own. The knob `xid` names an error of the driver.
echo '[    2.481022] nvidia: loading out-of-tree module taints kernel.'
echo '[    2.902771] NVRM: loading NVIDIA UNIX x86_64 Kernel Module'
if [ -e /run/berth/faults/xid ]; then
    number=$(head -n 1 /run/berth/faults/xid)
    echo "[ 4711.213370] NVRM: Xid (PCI:0000:19:00): ${number:-79}, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
fi
