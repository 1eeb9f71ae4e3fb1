package dev.ebb.computeservice.provision;

import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.ComputeMessage.CreateDatabase;
import dev.ebb.shared.bus.ComputeMessage.CreateDatabaseOf;
import dev.ebb.shared.bus.ComputeMessage.DatabaseCreated;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Names;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.page.Manifest;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes and drops databases. A database is in the catalog before anything else of it exists and
 * leaves it last, so that a crash in between leaves a name that a drop can clear away, never
 * objects that nobody knows of.
 */
public final class DatabaseProvisioner {
  private static final Logger log = LoggerFactory.getLogger(DatabaseProvisioner.class);
  private static final long TIMEOUT_MS = 30_000;

  /** Databases that every cluster has besides the user's. */
  private static final Set<String> RESERVED =
      Set.of("postgres", "template0", "template1", TemplateProvisioner.DATABASE);

  private final BlockingBus bus;
  private final Catalog catalog;
  private final BranchHeads heads;
  private final Host host;
  private final BranchRemoval removal;
  private final Function<PostgresMajor, TemplateProvisioner.Template> template;
  private final Clock clock;
  private final SystemIdentifiers identifiers;

  DatabaseProvisioner(
      BlockingBus bus,
      Catalog catalog,
      BranchHeads heads,
      Host host,
      BranchRemoval removal,
      Function<PostgresMajor, TemplateProvisioner.Template> template,
      Clock clock) {
    this.bus = bus;
    this.catalog = catalog;
    this.heads = heads;
    this.host = host;
    this.removal = removal;
    this.template = template;
    this.clock = clock;
    this.identifiers = new SystemIdentifiers(clock);
  }

  /** Makes a database of the default version; see {@link #create(CreateDatabaseOf)}. */
  public DatabaseCreated create(CreateDatabase request) {
    return create(
        new CreateDatabaseOf(
            PostgresMajor.DEFAULT, request.name(), request.owner(), request.ownerVerifier()));
  }

  /** Makes a database with its branch {@code main}, started and answering, on this host. */
  public DatabaseCreated create(CreateDatabaseOf request) {
    requireName(request.name());
    requireOwner(request.owner());
    TemplateProvisioner.Template from = template.apply(request.postgres());
    var database = DatabaseId.random();
    var branch = BranchId.random();
    catalog.create(
        DatabaseRecord.creating(
            database, request.name(), request.owner(), clock.millis(), request.postgres(), branch));
    try {
      Manifest manifest = from.manifest();
      heads.create(
          new BranchHead(
              1,
              branch,
              database,
              identifiers.next(),
              Generation.NONE,
              from.manifestKey(),
              true,
              manifest.endLsn(),
              false));
      bus.call(Addresses.WAL, new WalMessage.CreateLog(branch), TIMEOUT_MS);
      var begins = new AtomicReference<>(Lsn.INVALID);
      host.firstStart(
          branch,
          primary ->
              begins.set(primary.hand(request.owner(), request.ownerVerifier(), request.name())));
      // Its PostgreSQL ran on this host, by this clock; whose millisecond is behind all of it then.
      catalog.markReady(request.name(), database, begins.get(), clock.millis() + 1);
      return new DatabaseCreated(database, branch);
    } catch (RuntimeException e) {
      log.warn("database {} was not made: {}", request.name(), e.getMessage());
      try {
        undo(database, request.name(), branch);
      } catch (RuntimeException again) {
        e.addSuppressed(again);
      }
      throw e;
    }
  }

  /** A name leaves the catalog from DROPPING only; where a drop was faster it is gone already. */
  private void undo(DatabaseId database, String name, BranchId branch) {
    try {
      catalog.markDropping(name, database);
    } catch (EbbException.NotFound e) {
      log.debug("database {} was dropped while it was made", name);
    }
    clear(database, name, List.of(branch));
  }

  /**
   * Drops a database with everything of it. May be repeated where it failed half-way.
   *
   * @param force also where branches of it are protected
   */
  public void drop(String name, boolean force) {
    DatabaseRecord database =
        catalog
            .find(name)
            .orElseThrow(() ->
                new EbbException.NotFound(
                    "database \"" + Names.printable(name) + "\" does not exist"));
    DatabaseRecord dropping = catalog.markDropping(name, database.id(), force);
    clear(
        database.id(), name, dropping.branches().values().stream().map(BranchRecord::id).toList());
  }

  /**
   * Clears a database away with whose creation or drop nobody goes on; {@code Conflict} where
   * somebody did.
   */
  void clear(DatabaseRecord unfinished) {
    DatabaseRecord now = catalog.abandon(unfinished.name(), unfinished.id());
    clear(now.id(), now.name(), now.branches().values().stream().map(BranchRecord::id).toList());
  }

  /**
   * All branches end before the first one's objects go: what is in use by others of the database
   * has to be found out for a branch that others outlive. One that cannot be read any more would
   * keep all of them from being cleared.
   */
  private void clear(DatabaseId database, String name, List<BranchId> branches) {
    for (BranchId branch : branches) {
      heads.drop(branch);
    }
    for (BranchId branch : branches) {
      removal.remove(branch, false);
    }
    catalog.remove(name, database);
  }

  private static void requireName(String name) {
    try {
      Names.requireName("database", name);
    } catch (IllegalArgumentException e) {
      throw new EbbException.Invalid(String.valueOf(e.getMessage()));
    }
    if (RESERVED.contains(name)) {
      throw new EbbException.Invalid(
          "the database name \"" + name + "\" is reserved; choose another");
    }
  }

  private static void requireOwner(String owner) {
    int bytes = owner.getBytes(StandardCharsets.UTF_8).length;
    if (owner.isEmpty() || bytes > 63 || owner.chars().anyMatch(Character::isISOControl)) {
      throw new EbbException.Invalid(
          "invalid owner name \"" + Names.printable(owner) + "\": use 1 to 63 bytes");
    }
    if (owner.startsWith("ebb_")
        || owner.startsWith("pg_")
        || Set.of("public", "none").contains(owner)) {
      throw new EbbException.Invalid(
          "the role name \""
              + Names.printable(owner)
              + "\" is reserved; choose one that does not"
              + " begin with ebb_ or pg_");
    }
  }
}
