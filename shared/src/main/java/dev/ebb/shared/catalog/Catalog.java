package dev.ebb.shared.catalog;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Cidr;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Names;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/**
 * The databases by name. Every change is a compare-and-set on the database's object; a database is
 * told from a later one of the same name by its id. Blocking.
 */
public final class Catalog {
  private static final String PREFIX = "catalog/databases/";
  private static final int MAX_RACES = 100;

  private final ObjectStore store;

  public Catalog(ObjectStore store) {
    this.store = store;
  }

  private record Versioned(DatabaseRecord database, ObjectStore.Version version) {}

  /**
   * Takes the name for a database in state CREATING; {@code Conflict} where it is taken. Repeating
   * the very same record is no error.
   */
  public void create(DatabaseRecord database) {
    if (database.state() != DatabaseRecord.State.CREATING) {
      throw new EbbException.Invalid("a database begins as CREATING, not " + database.state());
    }
    String key = key(database.name());
    byte[] content = CatalogJson.encode(database);
    if (store.putIfAbsent(key, content).isPresent()) {
      return;
    }
    boolean ours = store.get(key).filter(s -> Arrays.equals(s.content(), content)).isPresent();
    if (!ours) {
      throw new EbbException.Conflict("database \"" + database.name() + "\" exists already");
    }
  }

  /** The database's first start succeeded. {@code Conflict} where a drop began meanwhile. */
  public DatabaseRecord markReady(String name, DatabaseId id) {
    return change(name, id, DatabaseRecord.State.READY);
  }

  /**
   * The same, and what its first branch begins with is there.
   *
   * @param begins where the database and its owner had been made: no point in the past lies before
   * @param epochMs when that was, by the clock that stamps commits
   */
  public DatabaseRecord markReady(String name, DatabaseId id, Lsn begins, long epochMs) {
    return change(
        name,
        id,
        before -> {
          if (before.state() == DatabaseRecord.State.DROPPING) {
            throw new EbbException.Conflict("database \"" + name + "\" is being dropped");
          }
          if (before.state() == DatabaseRecord.State.READY) {
            return before;
          }
          var branches = new TreeMap<>(before.branches());
          branches.replaceAll((branch, record) -> record.begun(begins, epochMs));
          return before.with(DatabaseRecord.State.READY, Map.copyOf(branches));
        });
  }

  /** A drop begins: no branch of it is to be started any more. */
  public DatabaseRecord markDropping(String name, DatabaseId id) {
    return markDropping(name, id, true);
  }

  /**
   * The same; its branches do not change any more.
   *
   * @param force also where branches are protected, else {@code Conflict}
   */
  public DatabaseRecord markDropping(String name, DatabaseId id, boolean force) {
    return change(
        name,
        id,
        before -> {
          List<String> protectedNames = before.tree().protectedNames();
          if (!force
              && before.state() != DatabaseRecord.State.DROPPING
              && !protectedNames.isEmpty()) {
            throw new EbbException.Conflict(
                "database \""
                    + name
                    + "\" has protected branches ("
                    + String.join(", ", protectedNames)
                    + "): take the protection off, or use --force");
          }
          return before.with(DatabaseRecord.State.DROPPING, before.branches());
        });
  }

  /** A drop begins, or goes on, of a database that is not ready; {@code Conflict} where it is. */
  public DatabaseRecord abandon(String name, DatabaseId id) {
    return change(
        name,
        id,
        before -> {
          if (before.state() == DatabaseRecord.State.READY) {
            throw new EbbException.Conflict("database \"" + name + "\" is whole by now");
          }
          return before.with(DatabaseRecord.State.DROPPING, before.branches());
        });
  }

  /** The database of that name in whatever state, or nothing. */
  public Optional<DatabaseRecord> find(String name) {
    return read(name).map(Versioned::database);
  }

  /** The names of all databases; other things that tools leave there are none. */
  public List<String> names() {
    return store.list(PREFIX).stream()
        .map(object -> object.key().substring(PREFIX.length()))
        .filter(Names::isName)
        .toList();
  }

  /**
   * When each database's object was last changed, by name, as far as the store tells: two changes
   * within its clock's step look alike.
   */
  public Map<String, ObjectStore.Listed> stamps() {
    var stamps = new TreeMap<String, ObjectStore.Listed>();
    for (ObjectStore.Listed object : store.list(PREFIX)) {
      String name = object.key().substring(PREFIX.length());
      if (Names.isName(name)) {
        stamps.put(name, object);
      }
    }
    return stamps;
  }

  /** Every database in whatever state, by name. */
  public List<DatabaseRecord> list() {
    var databases = new ArrayList<DatabaseRecord>();
    for (String name : names()) {
      find(name).ifPresent(databases::add);
    }
    return List.copyOf(databases);
  }

  /**
   * Frees the name of a database whose drop is complete; no error where it is gone. {@code
   * Conflict} where it is not in state DROPPING.
   */
  public void remove(String name, DatabaseId id) {
    Optional<Versioned> now = read(name).filter(v -> v.database().id().equals(id));
    if (now.isEmpty()) {
      return;
    }
    if (now.get().database().state() != DatabaseRecord.State.DROPPING) {
      throw new EbbException.Conflict("database \"" + name + "\" is not being dropped");
    }
    // DROPPING is a database's last state: nobody changes the object between the check and this
    store.delete(key(name));
  }

  /**
   * Changes the branches of a database that is ready. What {@code change} throws is passed on; it
   * may be asked several times.
   */
  public DatabaseRecord changeBranches(
      String name, DatabaseId id, UnaryOperator<BranchTree> change) {
    return change(
        name,
        id,
        before -> {
          if (before.state() != DatabaseRecord.State.READY) {
            throw new EbbException.Conflict(
                "database \""
                    + name
                    + (before.state() == DatabaseRecord.State.CREATING
                        ? "\" is still being created"
                        : "\" is being dropped"));
          }
          return before.with(before.state(), change.apply(before.tree()).branches());
        });
  }

  /**
   * Says where a database's clients may come from; an empty list: from everywhere.
   *
   * @throws EbbException.NotFound where there is no such database
   */
  public DatabaseRecord allow(String name, List<Cidr> addresses) {
    DatabaseId id =
        find(name)
            .orElseThrow(
                () -> new EbbException.NotFound("database \"" + name + "\" does not exist"))
            .id();
    return change(
        name,
        id,
        before -> {
          if (before.state() == DatabaseRecord.State.DROPPING) {
            throw new EbbException.Conflict("database \"" + name + "\" is being dropped");
          }
          return before.withAllowed(addresses);
        });
  }

  private DatabaseRecord change(String name, DatabaseId id, DatabaseRecord.State state) {
    return change(
        name,
        id,
        before -> {
          if (before.state() != state && before.state() == DatabaseRecord.State.DROPPING) {
            throw new EbbException.Conflict("database \"" + name + "\" is being dropped");
          }
          return before.with(state, before.branches());
        });
  }

  private DatabaseRecord change(String name, DatabaseId id, UnaryOperator<DatabaseRecord> change) {
    for (int race = 0; race < MAX_RACES; race++) {
      Versioned now =
          read(name)
              .filter(v -> v.database().id().equals(id))
              .orElseThrow(
                  () -> new EbbException.NotFound("database \"" + name + "\" does not exist"));
      DatabaseRecord after = change.apply(now.database());
      if (after.equals(now.database())) {
        return after;
      }
      if (store.putIfMatch(key(name), CatalogJson.encode(after), now.version()).isPresent()) {
        return after;
      }
    }
    throw new EbbException.Unavailable(
        "database \"" + name + "\" changed under each of " + MAX_RACES + " attempts");
  }

  private Optional<Versioned> read(String name) {
    String key = key(name);
    return store
        .get(key)
        .map(stored ->
            new Versioned(CatalogJson.decodeDatabase(key, stored.content()), stored.version()));
  }

  private static String key(String name) {
    try {
      return PREFIX + Names.requireName("database", name);
    } catch (IllegalArgumentException e) {
      throw new EbbException.Invalid(String.valueOf(e.getMessage()));
    }
  }
}
