package dev.ebb.shared.catalog;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.SnapshotId;
import java.util.regex.Pattern;

/** The keys of a branch's objects. */
public final class BranchKeys {
  private static final Pattern OF_BRANCH = Pattern.compile("branches/[a-z0-9]{1,40}/.+");

  private BranchKeys() {}

  /** What all of a branch's keys begin with. */
  public static String prefix(BranchId branch) {
    return "branches/" + branch + "/";
  }

  /** Whether a branch may have written it. Tools leave other things, such as a directory's mark. */
  public static boolean isOfBranch(String key) {
    return OF_BRANCH.matcher(key).matches();
  }

  public static String head(BranchId branch) {
    return prefix(branch) + "head";
  }

  public static String manifest(BranchId branch, SnapshotId snapshot) {
    return prefix(branch) + "manifests/" + snapshot;
  }

  /**
   * A revision of a snapshot: the same pages, found elsewhere. Its key is never used again.
   *
   * @param revision lower-case letters and digits
   */
  public static String manifest(BranchId branch, SnapshotId snapshot, String revision) {
    return manifest(branch, snapshot) + ".r" + revision;
  }

  /** The snapshot whose manifest, in whatever revision, has that key; empty for an empty key. */
  public static String snapshotOf(String manifestKey) {
    String name = manifestKey.substring(manifestKey.lastIndexOf('/') + 1);
    int revision = name.indexOf('.');
    return revision < 0 ? name : name.substring(0, revision);
  }

  /** Nodes of the page index that one writer stored. */
  public static String index(BranchId branch, String writer, int number) {
    return prefix(branch) + "index/" + writer + "-" + number;
  }

  /** A snapshot's packs are numbered from 0. */
  public static String pack(BranchId branch, SnapshotId snapshot, int number) {
    return prefix(branch) + "packs/" + snapshot + "-" + number;
  }

  public static String bootPack(BranchId branch, SnapshotId snapshot) {
    return prefix(branch) + "packs/" + snapshot + "-boot";
  }
}
