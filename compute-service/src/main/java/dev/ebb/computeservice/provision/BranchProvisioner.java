package dev.ebb.computeservice.provision;

import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.computeservice.placement.Placement;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.bus.ComputeMessage.BranchCreated;
import dev.ebb.shared.bus.ComputeMessage.BranchReplaced;
import dev.ebb.shared.bus.ComputeMessage.BranchesDescribed;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.BranchTree;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.Names;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.store.ObjectStore;
import java.time.Clock;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes, replaces and drops branches. Like a database, a branch is in the catalog before anything
 * else of it exists and leaves it last: what a crash leaves is listed, cannot be connected to, and
 * is cleared by dropping it.
 *
 * <p>A branch's data never changes hands: reset and restore make another branch, with an id and a
 * log of its own, and let the name mean that one (storage rule 32). First the name is switched, in
 * one step; then the old branch's compute ends. A session that found the old branch by its name
 * either reaches a compute that is ended then, or one that is started later, which the host refuses
 * to give it: it compares the name ({@link Host#wake(BranchId, BranchAddress)}). So nobody writes
 * to a branch that is not what the name means.
 */
public final class BranchProvisioner {
  private static final Logger log = LoggerFactory.getLogger(BranchProvisioner.class);
  private static final long SUSPEND_TIMEOUT_MS = 120_000;
  private static final long REPLICA_TIMEOUT_MS = 10_000;
  private static final int END_ATTEMPTS = 3;

  /** Each lost one means that the parent was captured or compacted in a moment. */
  private static final int BASE_ATTEMPTS = 5;

  private static final int MAX_NAME = 63;

  private static final DateTimeFormatter STAMP =
      DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss").withZone(ZoneOffset.UTC);

  private final BlockingBus bus;
  private final ObjectStore store;
  private final Catalog catalog;
  private final BranchHeads heads;
  private final PageClient pages;
  private final Host host;
  private final Placement placement;
  private final BranchForks forks;
  private final BranchRemoval removal;
  private final Clock clock;

  BranchProvisioner(
      BlockingBus bus,
      ObjectStore store,
      Catalog catalog,
      BranchHeads heads,
      PageClient pages,
      Host host,
      Placement placement,
      BranchForks forks,
      BranchRemoval removal,
      Clock clock) {
    this.bus = bus;
    this.store = store;
    this.catalog = catalog;
    this.heads = heads;
    this.pages = pages;
    this.host = host;
    this.placement = placement;
    this.forks = forks;
    this.removal = removal;
    this.clock = clock;
  }

  /** Makes a branch; it sleeps until somebody connects. */
  public BranchCreated create(ComputeMessage.CreateBranch request) {
    DatabaseRecord database = find(request.database());
    BranchRecord parent = database.tree().requireReady(request.from());
    return create(database, request.from(), parent, request.branch(), request.at());
  }

  private BranchCreated create(
      DatabaseRecord database,
      String parentName,
      BranchRecord parent,
      String name,
      @Nullable BranchPoint at) {
    for (int attempt = 1; attempt <= BASE_ATTEMPTS; attempt++) {
      Optional<BranchCreated> made = tryCreate(database, parentName, parent, name, at);
      if (made.isPresent()) {
        return made.get();
      }
    }
    throw new EbbException.Unavailable(
        database.name()
            + "@"
            + parentName
            + " had another snapshot behind each of "
            + BASE_ATTEMPTS
            + " attempts to make a branch of it: try again");
  }

  /**
   * Makes a child with an id of its own.
   *
   * @return empty where what it began from was let go of; nothing is left of it then
   */
  private Optional<BranchCreated> tryCreate(
      DatabaseRecord database,
      String parentName,
      BranchRecord parent,
      String name,
      @Nullable BranchPoint at) {
    var child = BranchId.random();
    var record = BranchRecord.creating(child, parent.id(), clock.millis());
    change(database, tree -> tree.add(name, record));
    try {
      var address = new BranchAddress(database.name(), parentName);
      Optional<BranchForks.Fork> made = forks.fork(address, parent, child, at);
      if (made.isEmpty()) {
        drop(database, name, child, true);
        return Optional.empty();
      }
      BranchForks.Fork fork = made.get();
      if (fork.head().closed()) {
        host.prepare(child);
      }
      change(database, tree -> tree.ready(name, child, fork.cut()));
      log.info("branch {}@{} ({}) of {} at {}", database.name(), name, child, address, fork.cut());
      return Optional.of(new BranchCreated(child, fork.cut()));
    } catch (RuntimeException e) {
      throw undone(database, name, child, e);
    }
  }

  /** Clears away what was made; gives what is to be told. */
  private RuntimeException undone(
      DatabaseRecord database, String name, BranchId child, RuntimeException cause) {
    log.warn("branch {}@{} was not made: {}", database.name(), name, cause.getMessage());
    boolean dropped = isGone(database, child);
    try {
      if (dropped) {
        // That drop may have come before there was a head or a topic: what was made behind it
        // is in nobody's list any more.
        removal.remove(child, false);
      } else {
        drop(database, name, child, true);
      }
    } catch (RuntimeException again) {
      cause.addSuppressed(again);
    }
    if (!dropped) {
      return cause;
    }
    var conflict =
        new EbbException.Conflict(
            database.name() + "@" + name + " was dropped while it was being created");
    conflict.addSuppressed(cause);
    return conflict;
  }

  /** Whether somebody dropped a branch in the making, or is at it, alone or with its database. */
  private boolean isGone(DatabaseRecord database, BranchId branch) {
    try {
      return catalog
          .find(database.name())
          .filter(now -> now.id().equals(database.id()))
          .filter(now -> now.state() == DatabaseRecord.State.READY)
          .flatMap(now -> now.tree().nameOf(branch).map(now.tree()::require))
          .filter(now -> now.state() != BranchRecord.State.DROPPING)
          .isEmpty();
    } catch (EbbException e) {
      return false; // the store does not answer: what is left stays listed, to be dropped
    }
  }

  /** Drops a branch. May be repeated where it failed half-way. */
  public void drop(ComputeMessage.DropBranch request) {
    DatabaseRecord database = find(request.database());
    BranchRecord branch = database.tree().require(request.branch());
    drop(database, request.branch(), branch.id(), request.force());
  }

  private void drop(DatabaseRecord database, String name, BranchId branch, boolean force) {
    finishDrop(
        database, name, branch, change(database, tree -> tree.dropping(name, branch, force)));
  }

  private void finishDrop(
      DatabaseRecord database, String name, BranchId branch, DatabaseRecord now) {
    boolean objectsInUse = !now.tree().childrenOf(branch).isEmpty();
    removal.remove(branch, objectsInUse);
    change(database, tree -> tree.remove(name, branch));
  }

  /**
   * Clears a branch away with whose creation or drop nobody goes on; {@code Conflict} where
   * somebody did.
   */
  void clear(DatabaseRecord database, String name, BranchId branch) {
    DatabaseRecord now =
        change(
            database,
            tree -> {
              if (tree.require(name).state() == BranchRecord.State.READY) {
                throw new EbbException.Conflict(database.name() + "@" + name + " is whole by now");
              }
              return tree.dropping(name, branch, true);
            });
    finishDrop(database, name, branch, now);
  }

  /** Gives a branch another name. */
  public void rename(ComputeMessage.RenameBranch request) {
    DatabaseRecord database = find(request.database());
    BranchRecord branch = database.tree().require(request.branch());
    change(database, tree -> tree.rename(request.branch(), branch.id(), request.to()));
    var news = new ComputeMessage.RefreshName(branch.id());
    bus.call(Addresses.COMPUTE, news, SUSPEND_TIMEOUT_MS);
    for (FleetView.PlacedReplica replica : placement.replicas(branch.id())) {
      try {
        bus.call(Addresses.host(replica.host()), news, REPLICA_TIMEOUT_MS);
      } catch (EbbException e) {
        // A host that died a moment ago, or hangs: the name is another one all the same.
        log.warn(
            "replica {} keeps the name that {} had: {}",
            replica.status().replica(),
            branch.id(),
            e.getMessage());
      }
    }
  }

  /** Puts protection on or takes it off. */
  public void protect(ComputeMessage.ProtectBranch request) {
    change(find(request.database()), tree -> tree.protect(request.branch(), request.isProtected()));
  }

  /** Makes the name mean a new child of the branch's parent; what it meant is dropped. */
  public BranchReplaced reset(ComputeMessage.ResetBranch request) {
    DatabaseRecord database = find(request.database());
    BranchTree tree = database.tree();
    String name = request.branch();
    tree.requireResettable(name);
    BranchRecord old = tree.requireReady(name);
    String parentName = parentName(tree, old);
    String stamp = STAMP.format(clock.instant());
    String made = freeName(tree, name, "-reset-" + stamp);
    String kept = freeName(tree, name, "-before-" + stamp);
    BranchCreated fresh = create(database, parentName, tree.requireReady(parentName), made, null);
    replace(database, name, old.id(), made, fresh.branch(), kept, true);
    drop(database, kept, old.id(), false);
    return new BranchReplaced(fresh.branch(), fresh.forkLsn(), "");
  }

  private static String parentName(BranchTree tree, BranchRecord branch) {
    BranchId parent = branch.parent();
    return parent == null ? "" : tree.nameOf(parent).orElse("");
  }

  /** Makes the name mean a new branch as of the past; what it meant is kept under another name. */
  public BranchReplaced restore(ComputeMessage.RestoreBranch request) {
    DatabaseRecord database = find(request.database());
    BranchTree tree = database.tree();
    String name = request.branch();
    BranchRecord old = tree.requireReady(name);
    String stamp = STAMP.format(clock.instant());
    String made = freeName(tree, name, "-restored-" + stamp);
    String kept = freeName(tree, name, "-before-" + stamp);
    BranchCreated fresh = create(database, name, old, made, request.at());
    replace(database, name, old.id(), made, fresh.branch(), kept, false);
    end(old.id());
    // Gateways may know the name as the old branch for a moment yet: nobody is there then.
    removal.endReplicas(old.id());
    return new BranchReplaced(fresh.branch(), fresh.forkLsn(), kept);
  }

  private void replace(
      DatabaseRecord database,
      String name,
      BranchId old,
      String made,
      BranchId fresh,
      String kept,
      boolean dropped) {
    try {
      change(database, tree -> tree.replace(name, old, made, fresh, kept, dropped));
    } catch (EbbException.Conflict | EbbException.NotFound e) {
      try {
        drop(database, made, fresh, false);
      } catch (RuntimeException again) {
        e.addSuppressed(again);
      }
      throw e;
    }
    log.info("{}@{} is branch {} now, no longer {}", database.name(), name, fresh, old);
    reviewReplicas(database);
  }

  /** Replicas go with the name. Where nobody hears of it, it is noticed a little later. */
  private void reviewReplicas(DatabaseRecord database) {
    try {
      bus.call(
          Addresses.COMPUTE,
          new ComputeMessage.ReviewReplicas(database.name()),
          SUSPEND_TIMEOUT_MS);
    } catch (EbbException e) {
      log.warn("the replicas of {} are looked at later: {}", database.name(), e.getMessage());
    }
  }

  /**
   * Ends the sessions of a branch that lost its name. Where its log is not closed then, a start was
   * under way at another host, or it had ended uncleanly before: once more, from the start.
   */
  private void end(BranchId branch) {
    for (int attempt = 1; attempt <= END_ATTEMPTS; attempt++) {
      try {
        bus.call(
            Addresses.COMPUTE, new ComputeMessage.SuspendBranch(branch, 0), SUSPEND_TIMEOUT_MS);
        if (heads.read(branch).filter(v -> !v.head().closed()).isEmpty()) {
          return;
        }
        bus.call(Addresses.COMPUTE, new ComputeMessage.WakeBranch(branch), SUSPEND_TIMEOUT_MS);
      } catch (EbbException e) {
        log.warn("branch {} could not be suspended: {}", branch, e.getMessage());
      }
    }
  }

  /** What the branches of a database hold. */
  public BranchesDescribed describe(ComputeMessage.DescribeBranches request) {
    var sizes = new ArrayList<BranchesDescribed.BranchSize>();
    for (Map.Entry<String, BranchRecord> named : find(request.database()).branches().entrySet()) {
      BranchId branch = named.getValue().id();
      BranchHead head = heads.read(branch).map(BranchHeads.Versioned::head).orElse(null);
      if (head == null || head.dropped()) {
        continue; // being made or dropped
      }
      Manifest manifest;
      try {
        manifest = pages.manifest(head.manifestKey());
      } catch (EbbException.Corrupt | EbbException.NotFound e) {
        // Damaged, or dropped just now: the others are to be seen all the same.
        log.warn("branch {}: its size is not known: {}", branch, e.getMessage());
        continue;
      }
      long blocks = manifest.files().stream().mapToLong(Manifest.BlockFile::blocks).sum();
      long own =
          store.list(BranchKeys.prefix(branch)).stream().mapToLong(ObjectStore.Listed::bytes).sum();
      sizes.add(new BranchesDescribed.BranchSize(branch, blocks * 8_192, own, manifest.endLsn()));
    }
    return new BranchesDescribed(java.util.List.copyOf(sizes));
  }

  private DatabaseRecord change(
      DatabaseRecord database, java.util.function.UnaryOperator<BranchTree> change) {
    return catalog.changeBranches(database.name(), database.id(), change);
  }

  private DatabaseRecord find(String name) {
    return catalog
        .find(name)
        .orElseThrow(() ->
            new EbbException.NotFound("database \"" + Names.printable(name) + "\" does not exist"));
  }

  /** A name that is not taken and says what it is. */
  private static String freeName(BranchTree tree, String name, String suffix) {
    String stem = name.substring(0, Math.min(name.length(), MAX_NAME - suffix.length() - 3));
    String free = stem + suffix;
    for (int i = 2; tree.branches().containsKey(free); i++) {
      free = stem + suffix + "-" + i;
    }
    return free;
  }
}
