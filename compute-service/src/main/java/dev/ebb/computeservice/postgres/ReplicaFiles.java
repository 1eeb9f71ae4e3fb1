package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * The files beside a replica's data directory: what tells it where its WAL comes from, and the
 * password for that. Neither a command line, which every user of the machine can read, nor the
 * settings, which some users of the database can, have the password.
 */
public final class ReplicaFiles {
  private final Path config;
  private final Path passwords;
  private final OsUser user;

  /**
   * Where the WAL comes from.
   *
   * @param host of a WAL sender
   * @param token its password
   */
  public record Source(String host, int port, BranchId branch, Secret token) {
    public Source {
      if (!host.matches("[A-Za-z0-9._:%-]{1,253}")) {
        throw new IllegalArgumentException("not the name or address of a host: " + host);
      }
      if (!token.reveal().matches("[0-9a-f]{1,128}")) {
        throw new IllegalArgumentException("a token has hexadecimal digits");
      }
    }
  }

  /**
   * Those of one replica.
   *
   * @param directory that only the OS user enters
   */
  public ReplicaFiles(Path directory, OsUser user) {
    this.config = directory.resolve("replica.conf");
    this.passwords = directory.resolve("pgpass");
    this.user = user;
  }

  /** The configuration file; PostgreSQL reads it again when it is told to. */
  public Path config() {
    return config;
  }

  /**
   * Writes both, in place of what there was.
   *
   * @param has what is before this position the replica has of its own, as far as it needs it: see
   *     {@code ebb.has} in the WAL sender
   * @param name how the replica calls itself
   */
  public void write(Source source, Lsn has, String name) throws IOException {
    // Readable by nobody else: libpq takes no other (PQgetpassword in fe-connect.c).
    replace(passwords, "*:*:*:*:" + source.token().reveal() + "\n");
    replace(config, text(source, has, name));
  }

  private String text(Source source, Lsn has, String name) {
    String conninfo =
        "host="
            + value(source.host())
            + " port="
            + source.port()
            + " user="
            + value("@" + source.branch().value())
            + " passfile="
            + value(passwords.toString())
            + " application_name="
            + value(name)
            + " options="
            + value("-c ebb.has=" + has)
            // The sender has no TLS; it listens where only the cluster's own machines reach it.
            + " sslmode=disable gssencmode=disable connect_timeout=5"
            + " keepalives_idle=10 keepalives_interval=5 keepalives_count=3";
    // What the branch's own file says (initdb's choices of formats, say) holds here as well.
    return "include_if_exists 'data/postgresql.conf'\n"
        + "primary_conninfo = '"
        + conninfo.replace("\\", "\\\\").replace("'", "''")
        + "'\n";
  }

  /** As libpq's connection strings quote ({@code conninfo_parse} in {@code fe-connect.c}). */
  private static String value(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }

  private void replace(Path file, String content) throws IOException {
    Path fresh = file.resolveSibling(file.getFileName() + ".new");
    Files.deleteIfExists(fresh);
    Files.createFile(
        fresh, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.writeString(fresh, content);
    user.own(fresh);
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
