package dev.ebb.walservice.protocol;

import dev.ebb.shared.model.Lsn;
import org.jspecify.annotations.Nullable;

/** What a client of a WAL sender asks for; see {@code repl_gram.y}. */
public sealed interface ReplicationCommand {

  record IdentifySystem() implements ReplicationCommand {}

  record ReadReplicationSlot(String slot) implements ReplicationCommand {}

  record Show(String setting) implements ReplicationCommand {}

  /**
   * Stream WAL.
   *
   * @param slot null for none
   * @param timeline 0 for the server's
   */
  record StartPhysical(@Nullable String slot, Lsn start, long timeline)
      implements ReplicationCommand {}

  record TimelineHistory(long timeline) implements ReplicationCommand {}

  record CreateSlot(String slot, boolean temporary, boolean physical)
      implements ReplicationCommand {}

  record DropSlot(String slot) implements ReplicationCommand {}

  /** A command of PostgreSQL's that this WAL sender does not have. */
  record Unsupported(String command) implements ReplicationCommand {}

  /** Nothing but blanks. */
  record Empty() implements ReplicationCommand {}
}
