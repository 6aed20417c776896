/* The table of keys, in the order in which they are printed: by section, what is asked for most first. */
#include "updater/config.h"

#define KEY(section, type, empty, member, preset, help)                                                                \
	{ section, #member, type, empty, preset, help, offsetof(struct config, member) }
/* A type GUID: not a member of its own. */
#define GUID(name, help) { "host", name, CONFIG_GUID, true, "", help, 0 }

const struct config_key config_keys[CONFIG_N_KEYS] = {
	KEY("updates", CONFIG_URLS, true, metadata_base_url, "",
	    "Where the repository's metadata is: https, file, or with allow_http also http; mirrors behind a blank."),
	KEY("updates", CONFIG_URLS, true, targets_base_url, "", "Where the repository's targets are; mirrors in the same order."),
	KEY("updates", CONFIG_SEED, true, seed, "",
	    "This host's place in the waves, 0 to 2047; empty: made from the machine id."),
	KEY("updates", CONFIG_LOCK, false, version_lock, "latest",
	    "Which versions are taken: latest, current (stay), a version, or a range such as 1.2.x."),
	KEY("updates", CONFIG_BOOL, false, ignore_waves, "false", "Take updates before this host's turn."),
	KEY("updates", CONFIG_BOOL, false, enabled, "true", "Whether updates are chosen at all unless one is asked for."),
	KEY("updates", CONFIG_BOOL, false, send_query, "true",
	    "Tell the repository version and seed with each request, as Bottlerocket does."),

	KEY("network", CONFIG_STRING, true, https_proxy, "", "Proxy for the repository; empty: as the environment says."),
	KEY("network", CONFIG_STRING, true, no_proxy, "", "Hosts that are reached without the proxy, separated by commas."),
	KEY("network", CONFIG_PATH, true, ca_file, "", "PEM file of the authorities trusted for https; empty: the system's."),
	KEY("network", CONFIG_PATH, true, client_cert, "", "PEM file of the certificate shown to servers that ask for one; empty: none."),
	KEY("network", CONFIG_PATH, true, client_key, "", "PEM file of its private key; empty: it is in client_cert."),
	KEY("network", CONFIG_SIZE, false, rate_limit, "0", "Bytes per second that a transfer may take, such as 2M; 0: no limit."),
	KEY("network", CONFIG_BOOL, false, allow_http, "false", "Allow plain http; signatures still protect what is fetched."),
	{ "network", "idle_timeout", CONFIG_DURATION, false, "30s", "A transfer without a byte for so long has failed.",
	  offsetof(struct config, idle_timeout_ms) },
	{ "network", "connect_timeout", CONFIG_DURATION, false, "10s", "Longest wait for a connection.",
	  offsetof(struct config, connect_timeout_ms) },

	KEY("host", CONFIG_PATH, false, os_release, "/usr/lib/os-release", "Where the running version and variant are read."),
	KEY("host", CONFIG_PATH, true, disk, "",
	    "Block device or image file with the partition sets; empty: the one under the running root."),
	KEY("host", CONFIG_ACTIVE, false, active_set, "auto", "The running set, A or B; auto: the one under the running root."),
	{ "host", "partition_types", CONFIG_TYPES, false, "bottlerocket",
	  "Type GUIDs by which the partitions are known: bottlerocket or discoverable.", 0 },
	GUID("boot_type", "Type GUID of the boot partitions; empty: by partition_types."),
	GUID("root_type", "Type GUID of the root partitions; empty: by partition_types."),
	GUID("hash_type", "Type GUID of the hash partitions; empty: by partition_types."),
	GUID("private_type", "Type GUID of the private partition; empty: by partition_types."),
	KEY("host", CONFIG_PATH, false, trusted_root, "/usr/share/flipside/root.json", "The root metadata shipped with the system."),
	KEY("host", CONFIG_PATH, false, state_dir, "/var/lib/flipside", "Status, staged record and history."),
	KEY("host", CONFIG_PATH, false, metadata_dir, "/var/lib/flipside/metadata", "Trusted metadata, kept from run to run."),
	KEY("host", CONFIG_PATH, false, migrations_dir, "/var/lib/flipside/migrations", "Migrations of the staged update."),
	KEY("host", CONFIG_PATH, false, lock_file, "/run/lock/flipside.lock", "Held during any action: there is one at a time."),
	KEY("host", CONFIG_WORKERS, true, workers, "", "Threads that unpack and hash images; empty: one for each CPU, at most 4."),
	KEY("host", CONFIG_BOOL, false, read_back, "true", "Read images back from the disk and verify them before they may boot."),
};
