package dev.ebb.launcher.bench;

import java.util.List;
import java.util.Map;

/**
 * The settings that the bare PostgreSQL takes over from a compute: what decides about speed, but
 * neither durability nor its price. {@code fsync}, {@code full_page_writes}, checkpoints and WAL
 * sizes stay PostgreSQL's own defaults, under which it is both safe and fast.
 */
final class SameSettings {
  private static final List<String> NAMES =
      List.of(
          "shared_buffers",
          "work_mem",
          "maintenance_work_mem",
          "effective_cache_size",
          "huge_pages",
          "io_method",
          "max_connections",
          "max_worker_processes",
          "max_parallel_workers_per_gather",
          "jit",
          "wal_level",
          "max_wal_senders",
          "dynamic_shared_memory_type");

  private SameSettings() {}

  /** As the compute behind the target has them. */
  static Map<String, String> of(Target target) {
    return target.pairs(
        "select name, current_setting(name) from pg_settings where name in ('"
            + String.join("', '", NAMES)
            + "')");
  }
}
