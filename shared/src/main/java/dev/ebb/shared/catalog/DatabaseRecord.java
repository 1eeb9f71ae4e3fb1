package dev.ebb.shared.catalog;

import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Cidr;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.PostgresMajor;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A database in the catalog, stored as JSON under {@code catalog/databases/NAME}.
 *
 * @param state CREATING until its first start succeeded; DROPPING once a drop began
 * @param owner the role that owns it
 * @param postgres the major version of all its branches
 * @param branches branches by name
 * @param allowed the addresses that its clients may come from; empty: all
 */
public record DatabaseRecord(
    int formatVersion,
    DatabaseId id,
    String name,
    String owner,
    State state,
    long createdEpochMs,
    PostgresMajor postgres,
    Map<String, BranchRecord> branches,
    List<Cidr> allowed) {
  /** The version that is written. */
  public static final int FORMAT_VERSION = 5;

  /** What all who read version 4 understand, in which nothing restricts the clients' addresses. */
  static final int OPEN_FORMAT_VERSION = 4;

  public DatabaseRecord {
    allowed = List.copyOf(allowed);
  }

  /** One whose clients may come from anywhere. */
  public DatabaseRecord(
      int formatVersion,
      DatabaseId id,
      String name,
      String owner,
      State state,
      long createdEpochMs,
      PostgresMajor postgres,
      Map<String, BranchRecord> branches) {
    this(formatVersion, id, name, owner, state, createdEpochMs, postgres, branches, List.of());
  }

  /** Of the databases from before version 3, which did not say. */
  static final PostgresMajor FIRST_POSTGRES = new PostgresMajor(18);

  /** Where a database stands in its life. */
  public enum State {
    CREATING,
    READY,
    DROPPING
  }

  /** A database whose branch {@code main} is being started for the first time. */
  public static DatabaseRecord creating(
      DatabaseId id,
      String name,
      String owner,
      long createdEpochMs,
      PostgresMajor postgres,
      BranchId main) {
    return new DatabaseRecord(
        OPEN_FORMAT_VERSION,
        id,
        name,
        owner,
        State.CREATING,
        createdEpochMs,
        postgres,
        Map.of(BranchAddress.MAIN, BranchRecord.first(main, createdEpochMs)));
  }

  /** The same, of the version that is made where nobody asks for another. */
  public static DatabaseRecord creating(
      DatabaseId id, String name, String owner, long createdEpochMs, BranchId main) {
    return creating(id, name, owner, createdEpochMs, PostgresMajor.DEFAULT, main);
  }

  /** The same in a later state. */
  DatabaseRecord with(State state, Map<String, BranchRecord> branches) {
    return new DatabaseRecord(
        formatVersion, id, name, owner, state, createdEpochMs, postgres, branches, allowed);
  }

  /** The same for clients from these addresses; none: from all. */
  DatabaseRecord withAllowed(List<Cidr> allowed) {
    return new DatabaseRecord(
        allowed.isEmpty() ? OPEN_FORMAT_VERSION : FORMAT_VERSION,
        id,
        name,
        owner,
        state,
        createdEpochMs,
        postgres,
        branches,
        allowed);
  }

  /** What may be done to its branches. */
  public BranchTree tree() {
    return new BranchTree(name, branches);
  }

  /** How people call its branches. */
  public Map<BranchId, BranchAddress> addresses() {
    return branches.entrySet().stream()
        .collect(
            Collectors.toUnmodifiableMap(
                named -> named.getValue().id(), named -> new BranchAddress(name, named.getKey())));
  }
}
