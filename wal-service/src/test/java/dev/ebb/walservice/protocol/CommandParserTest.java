package dev.ebb.walservice.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.ebb.shared.model.Lsn;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class CommandParserTest {
  private static final long SEED = 20261123;
  private static final Lsn LSN = Lsn.parse("0/16B3748");

  @Test
  void commandsOfStockClientsAreUnderstood() {
    assertThat(CommandParser.parse("IDENTIFY_SYSTEM"))
        .isEqualTo(new ReplicationCommand.IdentifySystem());
    assertThat(CommandParser.parse("IDENTIFY_SYSTEM ;"))
        .isEqualTo(new ReplicationCommand.IdentifySystem());
    assertThat(CommandParser.parse("START_REPLICATION 0/16B3748 TIMELINE 1"))
        .isEqualTo(new ReplicationCommand.StartPhysical(null, LSN, 1));
    assertThat(CommandParser.parse("START_REPLICATION SLOT \"a\"\"B\" PHYSICAL 0/16B3748"))
        .isEqualTo(new ReplicationCommand.StartPhysical("a\"B", LSN, 0));
    assertThat(CommandParser.parse("START_REPLICATION SLOT Standby 0/16b3748 TIMELINE 4294967295"))
        .isEqualTo(new ReplicationCommand.StartPhysical("standby", LSN, 4294967295L));
    assertThat(CommandParser.parse("SHOW wal_segment_size"))
        .isEqualTo(new ReplicationCommand.Show("wal_segment_size"));
    assertThat(CommandParser.parse("SHOW my.setting"))
        .isEqualTo(new ReplicationCommand.Show("my.setting"));
    assertThat(CommandParser.parse("TIMELINE_HISTORY 1"))
        .isEqualTo(new ReplicationCommand.TimelineHistory(1));
    assertThat(CommandParser.parse("READ_REPLICATION_SLOT \"s\""))
        .isEqualTo(new ReplicationCommand.ReadReplicationSlot("s"));
    assertThat(CommandParser.parse("CREATE_REPLICATION_SLOT \"s\" TEMPORARY PHYSICAL RESERVE_WAL"))
        .isEqualTo(new ReplicationCommand.CreateSlot("s", true, true));
    assertThat(CommandParser.parse("CREATE_REPLICATION_SLOT \"s\" PHYSICAL (RESERVE_WAL)"))
        .isEqualTo(new ReplicationCommand.CreateSlot("s", false, true));
    assertThat(
            CommandParser.parse("CREATE_REPLICATION_SLOT s LOGICAL pgoutput (SNAPSHOT 'nothing')"))
        .isEqualTo(new ReplicationCommand.CreateSlot("s", false, false));
    assertThat(CommandParser.parse("DROP_REPLICATION_SLOT \"s\" WAIT"))
        .isEqualTo(new ReplicationCommand.DropSlot("s"));
    assertThat(CommandParser.parse("BASE_BACKUP (LABEL 'x', PROGRESS)"))
        .isEqualTo(new ReplicationCommand.Unsupported("BASE_BACKUP"));
    assertThat(CommandParser.parse(" \n;")).isEqualTo(new ReplicationCommand.Empty());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "START_REPLICATION",
        "START_REPLICATION 0/",
        "START_REPLICATION 0/123456789",
        "START_REPLICATION SLOT 0/1",
        "START_REPLICATION 0/1 TIMELINE",
        "START_REPLICATION 0/1 TIMELINE 0",
        "START_REPLICATION 0/1 TIMELINE 4294967296",
        "START_REPLICATION 0/1 TIMELINE 99999999999999999999",
        "START_REPLICATION 0/1 TIMELINE -1",
        "IDENTIFY_SYSTEM now",
        "SHOW",
        "SHOW 'x'",
        "TIMELINE_HISTORY x",
        "READ_REPLICATION_SLOT \"s",
        "CREATE_REPLICATION_SLOT s PHYSICAL (",
        "DROP_REPLICATION_SLOT s %"
      })
  void malformedCommandIsASyntaxError(String text) {
    var error = catchThrowableOfType(SqlError.class, () -> CommandParser.parse(text));
    assertThat(error.sqlState()).isEqualTo(SqlError.SYNTAX_ERROR);
    assertThat(error.isFatal()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "select 1",
        "identify_system",
        "0/1",
        "'x'",
        "START_REPLICATION SLOT s LOGICAL 0/1"
      })
  void whatAPhysicalSenderDoesNotDoIsRefused(String text) {
    var error = catchThrowableOfType(SqlError.class, () -> CommandParser.parse(text));
    assertThat(error.sqlState()).isEqualTo(SqlError.FEATURE_NOT_SUPPORTED);
  }

  /** Whatever comes, there is a command or an error for the client, and soon. */
  @Test
  void noTextDoesMore() {
    var random = new Random(SEED);
    String[] pieces = {
      "IDENTIFY_SYSTEM",
      "START_REPLICATION",
      "SLOT",
      "PHYSICAL",
      "TIMELINE",
      "0/1",
      "FFFFFFFF/FF",
      "\"",
      "'",
      "(",
      ")",
      ",",
      ";",
      "1",
      "\0",
      "ÿ",
      "\uD800",
      "x",
      " ",
      "\t",
      "CREATE_REPLICATION_SLOT",
      "TEMPORARY",
      "-",
      "/",
      ".",
      "SHOW",
      "99999999999999999999999"
    };
    for (int i = 0; i < 20_000; i++) {
      var text = new StringBuilder();
      int parts = random.nextInt(12);
      for (int k = 0; k < parts; k++) {
        text.append(pieces[random.nextInt(pieces.length)]);
        if (random.nextBoolean()) {
          text.append(' ');
        }
      }
      try {
        assertThat(CommandParser.parse(text.toString())).isNotNull();
      } catch (SqlError e) {
        assertThat(e.getMessage()).isNotBlank();
      }
    }
  }
}
