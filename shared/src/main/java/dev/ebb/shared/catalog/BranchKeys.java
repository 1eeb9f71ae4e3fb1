package dev.ebb.shared.catalog;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.SnapshotId;

/** The keys of a branch's objects. */
public final class BranchKeys {
  private BranchKeys() {}

  /** What all of a branch's keys begin with. */
  public static String prefix(BranchId branch) {
    return "branches/" + branch + "/";
  }

  public static String head(BranchId branch) {
    return prefix(branch) + "head";
  }

  public static String manifest(BranchId branch, SnapshotId snapshot) {
    return prefix(branch) + "manifests/" + snapshot;
  }

  /** A snapshot's packs are numbered from 0. */
  public static String pack(BranchId branch, SnapshotId snapshot, int number) {
    return prefix(branch) + "packs/" + snapshot + "-" + number;
  }

  public static String bootPack(BranchId branch, SnapshotId snapshot) {
    return prefix(branch) + "packs/" + snapshot + "-boot";
  }
}
