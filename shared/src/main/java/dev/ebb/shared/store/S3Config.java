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
 * @param connectTimeoutMs for one connection attempt
 * @param requestTimeoutMs for one request, sent and answered; a retry has it again
 * @param attempts of a call that may be repeated, the first included
 */
public record S3Config(
    String endpoint,
    String bucket,
    String prefix,
    String region,
    String accessKey,
    Secret secretKey,
    int connectTimeoutMs,
    int requestTimeoutMs,
    int attempts) {

  public S3Config {
    List<String> wrong = new ArrayList<>();
    if (!isHttp(endpoint)) {
      wrong.add("endpoint \"" + endpoint + "\" is not an http:// or https:// address");
    }
    if (!bucket.matches("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")) {
      wrong.add("bucket \"" + bucket + "\" is not a bucket name");
    }
    if (!prefix.isEmpty() && !prefix.matches("[A-Za-z0-9_-][A-Za-z0-9._/-]*[A-Za-z0-9_-]|\\w")) {
      wrong.add("prefix \"" + prefix + "\" has a slash or dot at an end, or odd characters");
    }
    if (region.isBlank()) {
      wrong.add("region is empty; us-east-1 suits most servers");
    }
    if (accessKey.isBlank() || secretKey.reveal().isBlank()) {
      wrong.add("access key or secret key is empty");
    }
    if (connectTimeoutMs < 1 || requestTimeoutMs < 1) {
      wrong.add("timeouts must be positive");
    }
    if (attempts < 1 || attempts > 10) {
      wrong.add("attempts must be 1 to 10");
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException("S3 object store: " + String.join("; ", wrong));
    }
  }

  /** With the timeouts and attempts that suit a store in the same region. */
  public static S3Config of(
      String endpoint,
      String bucket,
      String prefix,
      String region,
      String accessKey,
      Secret secretKey) {
    return new S3Config(endpoint, bucket, prefix, region, accessKey, secretKey, 5_000, 60_000, 4);
  }

  private static boolean isHttp(String endpoint) {
    try {
      URI uri = URI.create(endpoint);
      return uri.getHost() != null
          && ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()));
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
