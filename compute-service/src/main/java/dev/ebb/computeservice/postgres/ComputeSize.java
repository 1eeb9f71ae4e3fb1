package dev.ebb.computeservice.postgres;

/**
 * How large a compute may be. Only memory differs between the sizes of one database: what a standby
 * compares with its primary (connections and their like) is the same for all of them.
 *
 * @param memoryMb what the whole compute should stay within
 * @param maxConnections sessions of clients
 */
public record ComputeSize(int memoryMb, int maxConnections) {
  public ComputeSize {
    if (memoryMb < 64 || maxConnections < 5 || maxConnections > 5_000) {
      throw new IllegalArgumentException(
          "a compute needs at least 64 MB and 5 to 5000 connections, not "
              + memoryMb
              + " MB and "
              + maxConnections);
    }
  }

  /** A quarter of the memory, the rest is for backends and the page cache. */
  int sharedBuffersMb() {
    return Math.clamp(memoryMb / 4, 16, 16_384);
  }

  /** Few backends sort at once; those that do may use several of these. */
  int workMemMb() {
    return Math.clamp(memoryMb / 128, 2, 64);
  }

  int maintenanceWorkMemMb() {
    return Math.clamp(memoryMb / 16, 16, 1_024);
  }

  int effectiveCacheMb() {
    return memoryMb * 3 / 4;
  }
}
