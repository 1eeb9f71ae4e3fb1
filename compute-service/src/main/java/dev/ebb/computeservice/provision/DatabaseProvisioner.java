package dev.ebb.computeservice.provision;

import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.computeservice.placement.Placement;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.bus.ComputeMessage.CreateDatabase;
import dev.ebb.shared.bus.ComputeMessage.DatabaseCreated;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Names;
import dev.ebb.shared.page.Manifest;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
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
  private final Placement placement;
  private final Supplier<TemplateProvisioner.Template> template;
  private final Clock clock;
  private final SecureRandom random = new SecureRandom();

  public DatabaseProvisioner(
      BlockingBus bus,
      Catalog catalog,
      BranchHeads heads,
      Host host,
      Placement placement,
      Supplier<TemplateProvisioner.Template> template,
      Clock clock) {
    this.bus = bus;
    this.catalog = catalog;
    this.heads = heads;
    this.host = host;
    this.placement = placement;
    this.template = template;
    this.clock = clock;
  }

  /** Makes a database with its branch {@code main}, started and answering, on this host. */
  public DatabaseCreated create(CreateDatabase request) {
    requireName(request.name());
    requireOwner(request.owner());
    TemplateProvisioner.Template from = template.get();
    var database = DatabaseId.random();
    var branch = BranchId.random();
    catalog.create(
        new DatabaseRecord(
            1,
            database,
            request.name(),
            request.owner(),
            DatabaseRecord.State.CREATING,
            clock.millis(),
            Map.of(BranchAddress.MAIN, branch)));
    try {
      Manifest manifest = from.manifest();
      heads.create(
          new BranchHead(
              1,
              branch,
              database,
              newSystemIdentifier(),
              Generation.NONE,
              from.manifestKey(),
              true,
              manifest.endLsn(),
              false));
      bus.call(Addresses.WAL, new WalMessage.CreateLog(branch), TIMEOUT_MS);
      host.firstStart(
          branch,
          primary -> primary.hand(request.owner(), request.ownerVerifier(), request.name()));
      catalog.markReady(request.name(), database);
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
    clear(database, name, Map.of(BranchAddress.MAIN, branch));
  }

  /** Drops a database with everything of it. May be repeated where it failed half-way. */
  public void drop(String name) {
    DatabaseRecord database =
        catalog
            .find(name)
            .orElseThrow(() ->
                new EbbException.NotFound(
                    "database \"" + Names.printable(name) + "\" does not exist"));
    catalog.markDropping(name, database.id());
    clear(database.id(), name, database.branches());
  }

  private void clear(DatabaseId database, String name, Map<String, BranchId> branches) {
    for (BranchId branch : branches.values()) {
      // The tombstone first: from here on nothing can start or commit.
      heads.drop(branch);
      discard(branch);
      bus.call(Addresses.WAL, new WalMessage.DeleteLog(branch), TIMEOUT_MS);
      bus.call(Addresses.PAGE, new PageMessage.DeleteBranchObjects(branch), TIMEOUT_MS);
    }
    catalog.remove(name, database);
  }

  private void discard(BranchId branch) {
    host.discard(branch);
    HostId owner = placement.owner(branch).orElse(host.id());
    if (!owner.equals(host.id())) {
      bus.call(Addresses.host(owner), new ComputeMessage.DiscardBranch(branch), TIMEOUT_MS);
    }
  }

  /** Seconds since the epoch above random bits: the way PostgreSQL makes one, {@code xlog.c}. */
  private long newSystemIdentifier() {
    return (clock.millis() / 1_000) << 32 | (random.nextInt() & 0xFFFFFFFFL);
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
