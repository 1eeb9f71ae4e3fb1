package dev.ebb.shared.catalog;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Names;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The branches of one database and what may be done to them. Immutable: each change is a new tree,
 * which {@link Catalog#changeBranches} stores by compare-and-set. Changes may be repeated: one that
 * was made already changes nothing.
 *
 * @param database its name, for messages
 */
public record BranchTree(String database, Map<String, BranchRecord> branches) {

  public BranchTree {
    branches = Map.copyOf(branches);
  }

  /** The branch of that name in whatever state; {@code NotFound} where there is none. */
  public BranchRecord require(String name) {
    BranchRecord branch = branches.get(name);
    if (branch == null) {
      throw new EbbException.NotFound(
          "database \"" + database + "\" has no branch \"" + Names.printable(name) + "\"");
    }
    return branch;
  }

  /** The branch, able to be started; otherwise an error that says what it is doing. */
  public BranchRecord requireReady(String name) {
    BranchRecord branch = require(name);
    return switch (branch.state()) {
      case READY -> branch;
      case CREATING ->
          throw new EbbException.Conflict(
              address(name)
                  + " is still being created; where that was interrupted, drop it and create it"
                  + " again");
      case DROPPING -> throw new EbbException.Conflict(address(name) + " is being dropped");
    };
  }

  /** How a branch is called; empty for one that is not of this database. */
  public Optional<String> nameOf(BranchId id) {
    return branches.entrySet().stream()
        .filter(named -> named.getValue().id().equals(id))
        .map(Map.Entry::getKey)
        .findFirst();
  }

  /** The names of a branch's children, those in the making included, in order. */
  public List<String> childrenOf(BranchId id) {
    return branches.entrySet().stream()
        .filter(named -> id.equals(named.getValue().parent()))
        .map(Map.Entry::getKey)
        .sorted()
        .toList();
  }

  /** The names of the protected branches, in order. */
  public List<String> protectedNames() {
    return branches.entrySet().stream()
        .filter(named -> named.getValue().isProtected())
        .map(Map.Entry::getKey)
        .sorted()
        .toList();
  }

  /** Takes a name for a branch whose parent is ready. {@code Conflict} where it is taken. */
  public BranchTree add(String name, BranchRecord branch) {
    requireName(name);
    BranchRecord present = branches.get(name);
    if (present != null) {
      if (present.id().equals(branch.id())) {
        return this;
      }
      throw new EbbException.Conflict(
          address(name)
              + (present.state() == BranchRecord.State.READY
                  ? " exists already"
                  : " exists already and is "
                      + present.state().name().toLowerCase(java.util.Locale.ROOT)
                      + ": drop it first where that was interrupted"));
    }
    BranchId parent = branch.parent();
    if (parent != null) {
      requireReady(
          nameOf(parent)
              .orElseThrow(() ->
                  new EbbException.Conflict(
                      "the parent of " + address(name) + " was dropped meanwhile")));
    }
    return with(name, branch);
  }

  /** The child can be started. {@code Conflict} where a drop was faster. */
  public BranchTree ready(String name, BranchId id, Lsn fork) {
    BranchRecord branch = requireSame(name, id);
    if (branch.state() == BranchRecord.State.DROPPING) {
      throw new EbbException.Conflict(address(name) + " is being dropped");
    }
    return with(name, branch.ready(fork));
  }

  /**
   * A drop begins: nothing starts it any more.
   *
   * @param force also where it has children, which then are its parent's
   */
  public BranchTree dropping(String name, BranchId id, boolean force) {
    BranchRecord branch = requireSame(name, id);
    if (branch.state() == BranchRecord.State.DROPPING) {
      return this;
    }
    if (name.equals(BranchAddress.MAIN)) {
      throw new EbbException.Conflict(
          address(name)
              + " cannot be dropped: it is what \""
              + database
              + "\" alone means; drop the database, or restore or reset the branch");
    }
    requireUnprotected(name, branch);
    List<String> children = childrenOf(id);
    if (!children.isEmpty() && !force) {
      throw new EbbException.Conflict(
          address(name)
              + " has children: "
              + addresses(children)
              + "; drop them first, or use --force: they stay and become children of "
              + (branch.parent() == null ? "nobody" : "its parent"));
    }
    return with(name, branch.dropping());
  }

  /** The drop is complete: the name is free, children are its parent's. */
  public BranchTree remove(String name, BranchId id) {
    BranchRecord gone = branches.get(name);
    if (gone == null || !gone.id().equals(id)) {
      return this;
    }
    if (gone.state() != BranchRecord.State.DROPPING) {
      throw new EbbException.Conflict(address(name) + " is not being dropped");
    }
    var changed = new TreeMap<>(branches);
    changed.remove(name);
    changed.replaceAll(
        (other, branch) -> id.equals(branch.parent()) ? orphaned(branch, gone) : branch);
    return new BranchTree(database, changed);
  }

  private static BranchRecord orphaned(BranchRecord child, BranchRecord gone) {
    // What it shares with its grandparent ends where its parent left that one, or earlier.
    BranchId grandparent = gone.parent();
    Lsn fork =
        grandparent == null
            ? child.forkLsn()
            : child.forkLsn().isBefore(gone.forkLsn()) ? child.forkLsn() : gone.forkLsn();
    return child.adoptedBy(grandparent, fork);
  }

  /** Gives a branch another name. */
  public BranchTree rename(String name, BranchId id, String to) {
    requireName(to);
    BranchRecord present = branches.get(to);
    if (present != null && present.id().equals(id)) {
      return this;
    }
    BranchRecord branch = requireSame(name, id);
    requireReady(name);
    if (name.equals(BranchAddress.MAIN)) {
      throw new EbbException.Conflict(
          address(name) + " cannot be renamed: it is what \"" + database + "\" alone means");
    }
    if (present != null) {
      throw new EbbException.Conflict(address(to) + " exists already");
    }
    var changed = new TreeMap<>(branches);
    changed.remove(name);
    changed.put(to, branch);
    return new BranchTree(database, changed);
  }

  /**
   * Puts another branch in a branch's place, in one step: {@code name} is from now on what {@code
   * replacement} was, and what it was is from now on {@code kept}. Protection and the replicas that
   * are wanted go with the name.
   *
   * @param dropped whether the replaced branch's drop begins with it; refused where it is protected
   *     or has children other than the replacement
   */
  public BranchTree replace(
      String name, BranchId id, String replacement, BranchId newId, String kept, boolean dropped) {
    requireName(kept);
    BranchRecord present = branches.get(name);
    if (present != null && present.id().equals(newId)) {
      return this;
    }
    BranchRecord before = requireSame(name, id);
    BranchRecord after = requireSame(replacement, newId);
    requireReady(name);
    requireReady(replacement);
    if (branches.containsKey(kept)) {
      throw new EbbException.Conflict(address(kept) + " exists already");
    }
    if (dropped) {
      requireUnprotected(name, before);
      requireChildless(name, before);
    }
    var changed = new TreeMap<>(branches);
    changed.remove(replacement);
    changed.put(name, after.protectedAs(before.isProtected()).withReplicas(before.replicas()));
    changed.put(kept, (dropped ? before.dropping() : before).withReplicas(0));
    return new BranchTree(database, changed);
  }

  /** Puts protection on or takes it off. */
  public BranchTree protect(String name, boolean isProtected) {
    return with(name, requireReady(name).protectedAs(isProtected));
  }

  /** Wants so many replicas of a branch; {@code Invalid} where that is too many. */
  public BranchTree replicas(String name, BranchId id, int wanted) {
    requireReady(name);
    if (wanted < 0 || wanted > BranchRecord.MAX_REPLICAS) {
      throw new EbbException.Invalid(
          address(name) + " can have 0 to " + BranchRecord.MAX_REPLICAS + " replicas");
    }
    return with(name, requireSame(name, id).withReplicas(wanted));
  }

  /** {@code Conflict} where a reset would take the branch from its children, or is protected. */
  public void requireResettable(String name) {
    BranchRecord branch = requireReady(name);
    if (branch.parent() == null || nameOf(branch.parent()).isEmpty()) {
      throw new EbbException.Invalid(
          address(name) + " has no parent to be reset to; use restore to go back in time");
    }
    requireUnprotected(name, branch);
    requireChildless(name, branch);
  }

  private void requireChildless(String name, BranchRecord branch) {
    List<String> children = childrenOf(branch.id());
    if (!children.isEmpty()) {
      throw new EbbException.Conflict(
          address(name) + " has children: " + addresses(children) + "; drop them first");
    }
  }

  private void requireUnprotected(String name, BranchRecord branch) {
    if (branch.isProtected()) {
      throw new EbbException.Conflict(
          address(name)
              + " is protected: take the protection off first (ebb branch unprotect "
              + address(name)
              + ")");
    }
  }

  private BranchRecord requireSame(String name, @Nullable BranchId id) {
    BranchRecord branch = require(name);
    if (!branch.id().equals(id)) {
      throw new EbbException.Conflict(address(name) + " is another branch by now: look again");
    }
    return branch;
  }

  private String addresses(List<String> names) {
    return String.join(", ", names.stream().map(this::address).toList());
  }

  private String address(String name) {
    return database + "@" + name;
  }

  private static void requireName(String name) {
    try {
      Names.requireName("branch", name);
    } catch (IllegalArgumentException e) {
      throw new EbbException.Invalid(String.valueOf(e.getMessage()));
    }
  }

  private BranchTree with(String name, BranchRecord branch) {
    var changed = new TreeMap<>(branches);
    changed.put(name, branch);
    return new BranchTree(database, changed);
  }
}
