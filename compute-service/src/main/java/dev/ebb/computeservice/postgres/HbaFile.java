package dev.ebb.computeservice.postgres;

import java.util.List;
import java.util.regex.Pattern;

/**
 * A compute's {@code pg_hba.conf}. The first line that fits a connection decides.
 *
 * @param admin the bootstrap superuser
 * @param serviceAddresses CIDR blocks from which Ebb's own services connect as {@code admin}
 */
public record HbaFile(String admin, List<String> serviceAddresses) {
  private static final Pattern CIDR = Pattern.compile("[0-9A-Fa-f.:]{2,45}/\\d{1,3}");
  private static final Pattern ROLE = Pattern.compile("[a-z_][a-z0-9_]{0,62}");

  public HbaFile {
    if (!ROLE.matcher(admin).matches()) {
      throw new IllegalArgumentException("not a plain role name: " + admin);
    }
    for (String address : serviceAddresses) {
      if (!CIDR.matcher(address).matches()) {
        throw new IllegalArgumentException("not a CIDR block such as 10.0.0.0/8: " + address);
      }
    }
    serviceAddresses = List.copyOf(serviceAddresses);
  }

  /** The file's text. */
  public String text() {
    var text = new StringBuilder();
    // Only the OS user that runs PostgreSQL can enter the socket's directory (0700).
    text.append("local all ").append(admin).append(" trust\n");
    text.append("local replication ").append(admin).append(" trust\n");
    text.append("local all all reject\n");
    text.append("local replication all reject\n");
    for (String address : serviceAddresses) {
      text.append("host all ").append(admin).append(' ').append(address);
      text.append(" scram-sha-256\n");
      text.append("host replication ").append(admin).append(' ').append(address);
      text.append(" scram-sha-256\n");
    }
    text.append("host all ").append(admin).append(" all reject\n");
    text.append("host replication ").append(admin).append(" all reject\n");
    text.append("host all all all scram-sha-256\n");
    // PostgreSQL itself demands the REPLICATION attribute of the role.
    text.append("host replication all all scram-sha-256\n");
    return text.toString();
  }
}
