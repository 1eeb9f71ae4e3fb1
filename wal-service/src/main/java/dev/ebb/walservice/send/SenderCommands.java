package dev.ebb.walservice.send;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Names;
import dev.ebb.walservice.protocol.ReplicationCommand;
import dev.ebb.walservice.protocol.Reply;
import dev.ebb.walservice.protocol.Reply.Column;
import dev.ebb.walservice.protocol.SqlError;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Answers the commands of one connection, as {@code exec_replication_command} in {@code
 * src/backend/replication/walsender.c} does, for a server without replication slots (the log keeps
 * WAL by itself) and with one timeline.
 */
final class SenderCommands implements AutoCloseable {
  private static final int TIMELINE = 1;
  private static final int MAX_TEMPORARY_SLOTS = 8;
  private static final long MEGABYTE = 1 << 20;
  private static final long GIGABYTE = 1 << 30;
  private static final byte[] NOTHING = {};

  private static final String NO_SLOTS_HINT =
      "The log keeps WAL by itself: leave the slot out (primary_slot_name, --slot).";

  private final ServedBranch branch;
  private final WalHistory.Source histories;
  private final Lsn has;
  private final Set<String> temporarySlots = new HashSet<>();

  /** The end that the client was told last. */
  private Lsn told = Lsn.INVALID;

  private @Nullable WalHistory history;
  private boolean writesFiles;

  /**
   * Of one connection.
   *
   * @param has what is before this position in its segment the client does not need, though it asks
   *     for it: a standby always asks from a segment's beginning. Ebb's replicas say so ({@code
   *     ebb.has} in their startup options), who begin with a snapshot that recovers from there;
   *     {@code Lsn.INVALID} for others
   */
  SenderCommands(ServedBranch branch, WalHistory.Source histories, Lsn has) {
    this.branch = branch;
    this.histories = histories;
    this.has = has;
  }

  /**
   * A stream that can begin.
   *
   * @param at where the history is read from
   * @param prefix bytes to send first, which end there
   * @param end how far the client was told that the log reaches; invalid where it did not ask
   */
  record Start(ServedBranch branch, WalHistory history, Lsn at, byte[] prefix, Lsn end) {}

  /** The messages that answer a command, without ReadyForQuery. */
  byte[] answer(ReplicationCommand command) throws InterruptedException {
    return switch (command) {
      case ReplicationCommand.Empty empty -> Reply.emptyQuery();
      case ReplicationCommand.IdentifySystem identify -> identifySystem();
      case ReplicationCommand.ReadReplicationSlot read ->
          completed(
              "READ_REPLICATION_SLOT",
              Reply.row(
                  List.of(
                      new Column("slot_type", Reply.Type.TEXT),
                      new Column("restart_lsn", Reply.Type.TEXT),
                      new Column("restart_tli", Reply.Type.INT8)),
                  Arrays.asList(null, null, null)));
      case ReplicationCommand.Show show -> show(show.setting());
      case ReplicationCommand.TimelineHistory asked ->
          throw SqlError.error(
              SqlError.UNDEFINED_FILE,
              String.format(
                  "could not open file \"pg_wal/%08X.history\": No such file or directory",
                  asked.timeline()));
      case ReplicationCommand.CreateSlot create -> createSlot(create);
      case ReplicationCommand.DropSlot drop -> dropSlot(drop.slot());
      case ReplicationCommand.Unsupported unsupported ->
          throw SqlError.error(
                  SqlError.FEATURE_NOT_SUPPORTED,
                  "Ebb's WAL sender does not have " + unsupported.command())
              .withHint("It streams WAL; a copy of the data is made through the gateway.");
      case ReplicationCommand.StartPhysical start ->
          throw new IllegalArgumentException("not answered but carried out");
    };
  }

  private byte[] identifySystem() throws InterruptedException {
    return completed(
        "IDENTIFY_SYSTEM",
        Reply.row(
            List.of(
                new Column("systemid", Reply.Type.TEXT),
                new Column("timeline", Reply.Type.INT8),
                new Column("xlogpos", Reply.Type.TEXT),
                new Column("dbname", Reply.Type.TEXT)),
            Arrays.asList(
                Long.toUnsignedString(branch.systemIdentifier()),
                Integer.toString(TIMELINE),
                toldEnd().toString(),
                null)));
  }

  private WalHistory history() {
    WalHistory present = history;
    if (present == null) {
      history = present = histories.open(branch);
    }
    return present;
  }

  private Lsn toldEnd() throws InterruptedException {
    told = end();
    return told;
  }

  /** A branch that nobody wrote to since it was made has no log, and ends where it begins. */
  private Lsn end() throws InterruptedException {
    try {
      Lsn end = history().end();
      return end.isValid() ? end : branch.idleEnd();
    } catch (EbbException.NotFound e) {
      return branch.idleEnd();
    }
  }

  private byte[] show(String setting) {
    // Those who write files ask for it before they stream; standbys do not.
    writesFiles = true;
    String name = setting.toLowerCase(Locale.ROOT);
    String value =
        switch (name) {
          case "wal_segment_size" -> size(branch.segmentBytes());
          case "data_directory_mode" -> "0700";
          default -> OTHER_SETTINGS.get(name);
        };
    if (name.equals("server_version")) {
      value = branch.serverVersion();
    }
    if (value == null) {
      throw SqlError.error(
          SqlError.UNDEFINED_OBJECT,
          "unrecognized configuration parameter \"" + Names.printable(setting) + "\"");
    }
    return completed(
        "SHOW", Reply.row(List.of(new Column(name, Reply.Type.TEXT)), Arrays.asList(value)));
  }

  private static final Map<String, String> OTHER_SETTINGS =
      Map.of("wal_level", "replica", "integer_datetimes", "on", "server_encoding", "UTF8");

  private static String size(long bytes) {
    return bytes % GIGABYTE == 0 ? bytes / GIGABYTE + "GB" : bytes / MEGABYTE + "MB";
  }

  private byte[] createSlot(ReplicationCommand.CreateSlot create) {
    if (!create.physical() || !create.temporary()) {
      throw SqlError.error(
              SqlError.FEATURE_NOT_SUPPORTED,
              create.physical()
                  ? "Ebb's WAL sender has no replication slots"
                  : "logical replication is not available here")
          .withHint(NO_SLOTS_HINT);
    }
    if (temporarySlots.size() == MAX_TEMPORARY_SLOTS) {
      throw SqlError.error("53400", "all replication slots are in use");
    }
    if (!temporarySlots.add(create.slot())) {
      throw SqlError.error(
          SqlError.DUPLICATE_OBJECT,
          "replication slot \"" + Names.printable(create.slot()) + "\" already exists");
    }
    return completed(
        "CREATE_REPLICATION_SLOT",
        Reply.row(
            List.of(
                new Column("slot_name", Reply.Type.TEXT),
                new Column("consistent_point", Reply.Type.TEXT),
                new Column("snapshot_name", Reply.Type.TEXT),
                new Column("output_plugin", Reply.Type.TEXT)),
            Arrays.asList(create.slot(), Lsn.INVALID.toString(), null, null)));
  }

  private byte[] dropSlot(String slot) {
    if (!temporarySlots.remove(slot)) {
      throw noSuchSlot(slot);
    }
    return completed("DROP_REPLICATION_SLOT", NOTHING);
  }

  private static SqlError noSuchSlot(String slot) {
    return SqlError.error(
            SqlError.UNDEFINED_OBJECT,
            "replication slot \"" + Names.printable(slot) + "\" does not exist")
        .withHint(NO_SLOTS_HINT);
  }

  private static byte[] completed(String tag, byte[] result) {
    var all = new ByteArrayOutputStream();
    all.writeBytes(result);
    all.writeBytes(Reply.commandComplete(tag));
    return all.toByteArray();
  }

  /** Sees that the stream can begin; the errors are PostgreSQL's. */
  Start start(ReplicationCommand.StartPhysical asked) throws InterruptedException {
    String slot = asked.slot();
    if (slot != null && !temporarySlots.contains(slot)) {
      throw noSuchSlot(slot);
    }
    if (asked.timeline() != 0 && asked.timeline() != TIMELINE) {
      throw SqlError.error(
          SqlError.INTERNAL_ERROR,
          "requested timeline " + asked.timeline() + " is not in this server's history");
    }
    Lsn from = asked.start();
    WalHistory log = history();
    try {
      Lsn at = log.seek(isNeeded(from) ? from : has);
      return new Start(branch, log, at, prefix(from, at), told);
    } catch (WalHistory.RemovedException e) {
      throw SqlError.error(
              SqlError.UNDEFINED_FILE,
              "requested WAL segment " + segmentName(from) + " has already been removed")
          .withHint("The log does not reach back so far: begin with a new copy of the data.");
    } catch (WalHistory.AheadException e) {
      throw SqlError.error(
          SqlError.INTERNAL_ERROR,
          "requested starting point "
              + from
              + " is ahead of the WAL flush position of this server "
              + e.end());
    } catch (EbbException.NotFound e) {
      throw SqlError.error(
              SqlError.NOT_IN_PREREQUISITE_STATE, "branch \"" + branch.name() + "\" has no log yet")
          .withHint("It gets one when it is first written to.");
    }
  }

  private boolean isNeeded(Lsn from) {
    long mask = -(long) branch.segmentBytes();
    return !from.isBefore(has) || (from.value() & mask) != (has.value() & mask);
  }

  /**
   * Where the log begins inside of the segment, a standby is not sent what lies before: it has what
   * there is of it from its own copy, and keeps that. Who writes whole files, as {@code
   * receivelog.c} does, refuses to begin inside one.
   */
  private byte[] prefix(Lsn from, Lsn at) {
    return writesFiles && from.isBefore(at) ? SegmentPrefix.of(branch, from, at) : NOTHING;
  }

  private String segmentName(Lsn lsn) {
    long number = Long.divideUnsigned(lsn.value(), branch.segmentBytes());
    long each = (1L << 32) / branch.segmentBytes();
    return String.format("%08X%08X%08X", TIMELINE, number / each, number % each);
  }

  @Override
  public void close() {
    if (history != null) {
      history.close();
    }
  }
}
