#!/bin/sh
# bootsim BOOTSIM MKDISK: the tries run down, the other set takes over, and what may not boot is told by the exit code.
set -u
bootsim=$1 mkdisk=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

# NAME CODE TEXT COMMAND...: its exit code, and what its output must hold.
expect() {
	name=$1 code=$2 text=$3
	shift 3
	out=$("$@" 2>&1)
	got=$?
	case $got:$out in
	"$code":*"$text"*) ;;
	*)
		echo "$name: exit $got (expected $code), output: $out"
		failed=1
		;;
	esac
}

disk=$dir/disk.img
for sector in 512 4096; do
	"$mkdisk" "$disk" --sector $sector --set-a 1/0/1 --set-b 2/2/0 || exit 1
	expect "dry run" 0 "booting set B (priority 2, tries left 1)" "$bootsim" --dry-run "$disk"
	expect "first try" 0 "booting set B (priority 2, tries left 1)" "$bootsim" "$disk"
	expect "second try" 0 '"tries_left": 0' "$bootsim" --json "$disk"
	expect "tries used up" 0 "booting set A (priority 1, tries left 0, successful)" "$bootsim" "$disk"
	expect "and so it stays" 0 '"set": "A"' "$bootsim" --json "$disk"
done

"$mkdisk" "$disk" --set-a 0/15/1 --set-b 15/0/0 || exit 1
expect "nothing may boot" 5 "no set may boot" "$bootsim" "$disk"
expect "the same in JSON" 5 '"reason": "no-boot"' "$bootsim" --json "$disk"
expect "no boot partition of that type" 7 "no boot partition" \
	"$bootsim" --boot-type bc13c2ff-59e6-4262-a352-b275fd6f7172 "$disk"
expect "type is no GUID" 2 "is no GUID" "$bootsim" --boot-type xbootldr "$disk"

# A damaged primary: the backup's rule is the same, and the write repairs it.
"$mkdisk" "$disk" --set-b 3/1/0 || exit 1
printf 'x' | dd of="$disk" bs=1 seek=570 conv=notrunc 2>/dev/null
expect "primary damaged" 0 "working from the backup" "$bootsim" --dry-run "$disk"
expect "primary damaged, booted" 0 "booting set B" "$bootsim" "$disk"
case $("$bootsim" "$disk" 2>&1) in
*backup*) echo "the primary was not repaired"; failed=1 ;;
esac

echo "no disk" >"$dir/text"
expect "not a disk" 7 "no GPT" "$bootsim" "$dir/text"
expect "no such file" 9 "opening" "$bootsim" "$dir/none"
expect "no argument" 2 "usage" "$bootsim"
exit $failed
