package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.model.Secret;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ReplicaFilesTest {
  private static final String TOKEN = "0123456789abcdef";

  @TempDir private Path directory;

  private ReplicaFiles files() {
    return new ReplicaFiles(directory, OsUser.choose("postgres"));
  }

  private static ReplicaFiles.Source source(String host, int port) {
    return new ReplicaFiles.Source(host, port, new BranchId("b1"), new Secret(TOKEN));
  }

  @Test
  void passwordIsInAFileOfItsOwnThatNobodyElseReads() throws IOException {
    ReplicaFiles files = files();
    files.write(source("127.0.0.1", 7432), Lsn.parse("0/1C00028"), "ebb_replica_r1");

    Path passwords = directory.resolve("pgpass");
    assertThat(Files.readString(passwords)).isEqualTo("*:*:*:*:" + TOKEN + "\n");
    for (Path file : new Path[] {passwords, files.config()}) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
          .isEqualTo("rw-------");
    }
    assertThat(Files.readString(files.config()))
        .contains("host=''127.0.0.1'' port=7432 user=''@b1''")
        .contains("passfile=''" + passwords + "''")
        .contains("options=''-c ebb.has=0/1C00028''")
        .doesNotContain(TOKEN);
    assertThat(
            new PostgresSettings(
                    PostgresMajor.DEFAULT,
                    new ComputeSize(256, 100),
                    "127.0.0.1",
                    5433,
                    Path.of("/s"),
                    Path.of("/x/hba"),
                    Path.of("/x/ident"),
                    new PostgresSettings.Kind.Replica(files.config(), 300))
                .arguments())
        .as("what everybody on the machine can read")
        .noneMatch(argument -> argument.contains(TOKEN) || argument.contains("conninfo"))
        .contains("synchronous_standby_names=", "max_connections=300", "hot_standby=on");
  }

  @Test
  void whereWalComesFromCanBeChanged() throws IOException {
    ReplicaFiles files = files();
    files.write(source("127.0.0.1", 7432), new Lsn(1), "r");
    files.write(source("wal-2.internal", 7433), new Lsn(1), "r");

    assertThat(Files.readString(files.config()))
        .contains("host=''wal-2.internal'' port=7433")
        .doesNotContain("127.0.0.1");
  }

  @Test
  void pathWithQuotesIsQuoted() throws IOException {
    Path odd = Files.createDirectory(directory.resolve("it's \\ odd"));
    var files = new ReplicaFiles(odd, OsUser.choose("postgres"));
    files.write(source("127.0.0.1", 1), new Lsn(1), "r");

    // Once for the connection string, once for the configuration file.
    assertThat(Files.readString(files.config())).contains("it\\\\''s \\\\\\\\ odd/pgpass");
  }

  @Test
  void hostThatIsNoneIsRefused() {
    assertThatThrownBy(() -> source("a host=b", 1)).isInstanceOf(IllegalArgumentException.class);
  }
}
