# The Debian 12 packages that a build and a test run need; sourced by demo and check. Quick when there is nothing to install.

build_packages="gcc libc6-dev meson ninja-build pkg-config libcurl4-openssl-dev libssl-dev libjansson-dev zlib1g-dev
	liblzma-dev libzstd-dev liblz4-dev libfdisk-dev libinih-dev libmicrohttpd-dev libcmocka-dev"
demo_packages="cryptsetup-bin gdisk erofs-utils python3"
check_packages="clang llvm-14 libclang-rt-14-dev cppcheck curl gzip xz-utils zstd lz4 mandoc openssl softhsm2 libengine-pkcs11-openssl
	qemu-system-common time"

# install_packages PACKAGE...: those that are missing, with apt, by sudo when not root.
install_packages() {
	local missing=() package
	for package; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	local as_root=()
	[ "$(id -u)" -eq 0 ] || as_root=(sudo)
	echo "installing with apt: ${missing[*]}"
	"${as_root[@]}" apt-get update -qq
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
