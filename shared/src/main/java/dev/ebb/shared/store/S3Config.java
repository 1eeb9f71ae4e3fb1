package dev.ebb.shared.store;

import dev.ebb.shared.model.Secret;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;

/**
 * Where an S3 object store is and how to talk to it.
 *
 * @param endpoint such as {@code https://s3.eu-central-1.amazonaws.com} or {@code
 *     http://127.0.0.1:9000}
 * @param bucket must exist
 * @param prefix what every key begins with in the bucket, without a slash at either end; may be
 *     empty
 * @param region such as {@code us-east-1}
 * @param credentials who asks
 * @param limits how long and how often
 */
public record S3Config(
    String endpoint,
    String bucket,
    String prefix,
    String region,
    Credentials credentials,
    Limits limits) {

  /**
   * Who asks. None of it is shown anywhere.
   *
   * @param sessionToken of temporary credentials; blank for none
   */
  public record Credentials(Secret accessKey, Secret secretKey, Secret sessionToken) {
    /** Permanent ones. */
    public Credentials(Secret accessKey, Secret secretKey) {
      this(accessKey, secretKey, new Secret(""));
    }
  }

  /**
   * How long a call may take, and how much is sent at once.
   *
   * @param connectTimeoutMs for one connection attempt
   * @param ioTimeoutMs in which at least one byte comes or goes
   * @param requestTimeoutMs for one request, sent and answered; a retry has it again
   * @param attempts of a call, the first included
   * @param partBytes an object that is larger is written in parts of this size
   */
  public record Limits(
      int connectTimeoutMs, int ioTimeoutMs, int requestTimeoutMs, int attempts, int partBytes) {
    /** S3 takes no smaller part but the last. */
    public static final int MIN_PART_BYTES = 5 << 20;

    /** What suits a store in the same region. */
    public static final Limits DEFAULTS = new Limits(3_000, 10_000, 60_000, 5, 16 << 20);
  }

  public S3Config {
    List<String> wrong = new ArrayList<>();
    if (!isHttp(endpoint)) {
      wrong.add("endpoint \"" + endpoint + "\" is not an http:// or https:// address");
    }
    if (!isBucketName(bucket)) {
      wrong.add("bucket \"" + bucket + "\" is not a bucket name");
    }
    if (!isPrefix(prefix)) {
      wrong.add("prefix \"" + prefix + "\" has a slash or dot at an end, or odd characters");
    }
    if (region.isBlank()) {
      wrong.add("region is empty; us-east-1 suits most servers");
    }
    if (credentials.accessKey().reveal().isBlank() || credentials.secretKey().reveal().isBlank()) {
      wrong.add("access key or secret key is empty");
    }
    if (limits.connectTimeoutMs() < 1
        || limits.ioTimeoutMs() < 1
        || limits.requestTimeoutMs() < 1) {
      wrong.add("timeouts must be positive");
    }
    if (limits.attempts() < 1 || limits.attempts() > 10) {
      wrong.add("attempts must be 1 to 10");
    }
    if (limits.partBytes() < Limits.MIN_PART_BYTES) {
      wrong.add("partBytes must be at least " + Limits.MIN_PART_BYTES);
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException("S3 object store: " + String.join("; ", wrong));
    }
  }

  /** Whether a bucket can have this name. */
  public static boolean isBucketName(String text) {
    return text.matches("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]");
  }

  /** Whether keys can begin with this. */
  public static boolean isPrefix(String text) {
    return text.isEmpty() || text.matches("[A-Za-z0-9_-]([A-Za-z0-9._/-]*[A-Za-z0-9_-])?");
  }

  /** Whether this is an http or https URL. */
  public static boolean isHttp(String endpoint) {
    try {
      URI uri = URI.create(endpoint);
      return uri.getHost() != null
          && ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()));
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
