#!/bin/sh
# Stand-in for nvidia-smi: the driver's output formats over a made inventory
# (/etc/berth/gpus.csv: index,uuid,name,driver,memory in MiB). As with the driver, an account sees
# the devices it may open. Faults are read from /run/berth/faults.
inventory=/etc/berth/gpus.csv
faults=/run/berth/faults
mode=table
fields=
format=
only=

for argument in "$@"; do
    if [ -n "${want-}" ]; then
        only=$argument
        want=
        continue
    fi
    case $argument in
        -L | --list-gpus) mode=list ;;
        -i | --id) want=id ;;
        -i=* | --id=*) only=${argument#*=} ;;
        --query-gpu=*) mode=query fields=${argument#*=} ;;
        --query-compute-apps=*) mode=apps fields=${argument#*=} ;;
        --format=*) format=${argument#*=} ;;
        *)
            echo "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help."
            exit 2
            ;;
    esac
done
if [ "$mode" = query ] || [ "$mode" = apps ]; then
    case ",$format," in
        *,csv,*) ;;
        *)
            echo 'Missing format specifier: "--format=" switch is missing. Please run "nvidia-smi -h" for help.'
            exit 2
            ;;
    esac
fi

# A missing GPU fell off the bus: the one named in the knob, or the last.
missing=
if [ -e "$faults/gpu-missing" ]; then
    missing=$(head -n 1 "$faults/gpu-missing")
    [ -n "$missing" ] || missing=$(awk -F, 'END { print $1 }' "$inventory")
fi
driver=
if [ -e "$faults/wrong-driver" ]; then
    driver=$(head -n 1 "$faults/wrong-driver")
    [ -n "$driver" ] || driver=470.57.02
fi

# Memory errors of the GPU named in the knob, or of the first; heat of all of them.
broken=
if [ -e "$faults/ecc-errors" ]; then
    broken=$(head -n 1 "$faults/ecc-errors")
    broken=${broken:-0}
fi
heat=31
[ ! -e "$faults/hot" ] || heat=93

visible() {
    while IFS=, read -r index uuid name version memory; do
        [ "$index" = "$missing" ] && continue
        [ -n "$only" ] && [ "$only" != "$index" ] && [ "$only" != "$uuid" ] && continue
        [ -r "/dev/nvidia$index" ] && [ -w "/dev/nvidia$index" ] || continue
        echo "$index,$uuid,$name,${driver:-$version},$memory"
    done < "$inventory"
}

gpus=$(visible)
if [ -z "$gpus" ]; then
    echo 'No devices were found'
    exit 6
fi

case $mode in
    list)
        echo "$gpus" | awk -F, '{ printf "GPU %d: %s (UUID: %s)\n", $1, $3, $2 }'
        ;;
    apps)
        # Nothing runs on GPUs that are not there.
        case ",$format," in
            *,noheader,*) ;;
            *) echo "$fields" | sed 's/,/, /g' ;;
        esac
        ;;
    query)
        echo "$gpus" | awk -F, -v fields="$fields" -v format=",$format," \
            -v broken="$broken" -v heat="$heat" '
            function field(name) {
                if (name == "index") return $1
                if (name == "uuid" || name == "gpu_uuid") return $2
                if (name == "name" || name == "gpu_name") return $3
                if (name == "driver_version") return $4
                if (name == "count") return total
                if (name == "serial") return sprintf("16502230%05d", $1)
                if (name == "pci.bus_id" || name == "gpu_bus_id") return sprintf("00000000:%02X:00.0", 25 + 16 * $1)
                if (name == "vbios_version") return "96.00.74.00.01"
                if (name == "pstate") return "P0"
                if (name == "persistence_mode") return "Enabled"
                if (name == "compute_mode") return "Default"
                if (name == "mig.mode.current") return "Disabled"
                if (name == "ecc.mode.current") return "Enabled"
                if (name == "ecc.errors.uncorrected.volatile.total" && $1 == broken) return 3
                if (name ~ /^ecc\.errors\.(un)?corrected\.(volatile|aggregate)\.total$/) return 0
                if (name ~ /^retired_pages\./) return "[N/A]"
                if (name == "fan.speed") return "[N/A]"
                if (name == "temperature.gpu") return heat + $1 % 4
                unit = " MiB"
                if (name == "memory.total") return $5 suffix()
                if (name == "memory.used") return 2 suffix()
                if (name == "memory.free") return ($5 - 2) suffix()
                unit = " %"
                if (name ~ /^utilization\.(gpu|memory)$/) return 0 suffix()
                unit = " W"
                if (name == "power.draw") return "68.42" suffix()
                if (name == "power.limit") return "700.00" suffix()
                return ""
            }
            function suffix() { return format ~ /,nounits,/ ? "" : unit }
            function heading(name) {
                if (name ~ /^memory\./) return name " [MiB]"
                if (name ~ /^utilization\./) return name " [%]"
                if (name ~ /^power\./) return name " [W]"
                return name
            }
            { line[NR] = $0 }
            END {
                total = NR
                count = split(fields, names, ",")
                $0 = line[1]
                for (n = 1; n <= count; n++) {
                    gsub(/^ +| +$/, "", names[n])
                    if (field(names[n]) == "") {
                        printf "Field \"%s\" is not a valid field to query.\n\n", names[n]
                        exit 2
                    }
                }
                if (format !~ /,noheader,/) {
                    for (n = 1; n <= count; n++) printf "%s%s", heading(names[n]), n < count ? ", " : "\n"
                }
                for (row = 1; row <= total; row++) {
                    $0 = line[row]
                    for (n = 1; n <= count; n++) printf "%s%s", field(names[n]), n < count ? ", " : "\n"
                }
            }'
        ;;
    table)
        date '+%a %b %e %H:%M:%S %Y       '
        echo "$gpus" | awk -F, '
            function rule(text) { print "+" text "+" }
            NR == 1 {
                rule("---------------------------------------------------------------------------------------")
                printf "| NVIDIA-SMI %-22s Driver Version: %-12s CUDA Version: %-8s |\n", $4, $4, "12.2"
                print "|-----------------------------------------+----------------------+----------------------+"
                print "| GPU  Name                 Persistence-M | Bus-Id        Disp.A | Volatile Uncorr. ECC |"
                print "| Fan  Temp   Perf          Pwr:Usage/Cap |         Memory-Usage | GPU-Util  Compute M. |"
                print "|                                         |                      |               MIG M. |"
                print "|=========================================+======================+======================|"
            }
            {
                printf "| %3d  %-31.31sOn  | 00000000:%02X:00.0 Off | %20d |\n", $1, $3, 25 + 16 * $1, 0
                printf "| N/A  %3dC    P0 %24s | %20s | %7d%%      Default |\n", 31 + $1 % 4, "68W / 700W", "2MiB / " $5 "MiB", 0
                printf "| %39s | %20s | %20s |\n", "", "", "Disabled"
                print "+-----------------------------------------+----------------------+----------------------+"
            }
            END {
                printf "%89s\n", ""
                rule("---------------------------------------------------------------------------------------")
                print "| Processes:                                                                            |"
                print "|  GPU   GI   CI        PID   Type   Process name                            GPU Memory |"
                print "|        ID   ID                                                             Usage      |"
                print "|=======================================================================================|"
                print "|  No running processes found                                                           |"
                rule("---------------------------------------------------------------------------------------")
            }'
        ;;
esac
