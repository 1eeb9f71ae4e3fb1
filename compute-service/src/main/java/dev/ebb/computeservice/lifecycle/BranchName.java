package dev.ebb.computeservice.lifecycle;

import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the branch of a running compute is called. A name may come to mean another branch; who came
 * by it must not stay with this one then. What is known here was read from the catalog after the
 * compute's start began: had the name been taken away before, it would not be known, and whoever
 * takes it away later ends the compute. Thread-safe.
 */
final class BranchName {
  private final BranchId branch;
  private final Catalog catalog;
  private volatile @Nullable BranchAddress known;

  BranchName(BranchId branch, Catalog catalog) {
    this.branch = branch;
    this.catalog = catalog;
  }

  /** Whether a name means a branch, as the catalog says now. */
  static boolean means(Catalog catalog, BranchAddress name, BranchId branch) {
    return find(catalog, name).filter(record -> record.id().equals(branch)).isPresent();
  }

  private static Optional<BranchRecord> find(Catalog catalog, BranchAddress name) {
    return catalog
        .find(name.database())
        .flatMap(database -> Optional.ofNullable(database.branches().get(name.branch())));
  }

  /** Null before it was looked up. */
  @Nullable BranchAddress known() {
    return known;
  }

  /** The catalog was asked after the start began, and said so. */
  void set(BranchAddress name) {
    known = name;
  }

  /** Whether it is called so; asks the catalog where something else is known. */
  boolean is(BranchAddress asked) {
    if (asked.equals(known)) {
      return true;
    }
    boolean now = means(catalog, asked, branch);
    if (now) {
      known = asked;
    }
    return now;
  }

  /** Looks it up where it is not known; walks the catalog. */
  void resolve() {
    if (known == null) {
      for (DatabaseRecord database : catalog.list()) {
        BranchAddress found = database.addresses().get(branch);
        if (found != null) {
          known = found;
          return;
        }
      }
    }
  }

  /** It was renamed. */
  void refresh() {
    known = null;
    resolve();
  }

  /**
   * Whether the name that its clients came by means another branch now; follows a mere renaming.
   */
  boolean isTaken() {
    BranchAddress name = known;
    if (name == null) {
      return false;
    }
    Optional<BranchRecord> now = find(catalog, name);
    if (now.isEmpty()) {
      refresh();
      return false;
    }
    return !now.get().id().equals(branch);
  }
}
