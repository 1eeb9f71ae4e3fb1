package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import io.minio.errors.ErrorResponseException;
import io.minio.errors.InvalidResponseException;
import io.minio.errors.ServerException;
import io.minio.errors.XmlParserException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.UnknownHostException;
import java.util.Set;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** What a failed request means, and the words for it. */
final class S3Errors {
  private static final Set<String> TRANSIENT =
      Set.of(
          "SlowDown",
          "SlowDownRead",
          "SlowDownWrite",
          "InternalError",
          "ServiceUnavailable",
          "RequestTimeout",
          "OperationAborted",
          "XMinioServerNotInitialized");

  /** What follows from a failure. */
  enum Verdict {
    /** The same request gets the same answer. */
    FINAL,
    /** The server says that it did nothing, and to come again. */
    NOT_DONE,
    /** It may have been done: no answer came, or none that tells. */
    UNCLEAR
  }

  private final S3Config config;

  S3Errors(S3Config config) {
    this.config = config;
  }

  static Verdict verdict(Throwable error) {
    return switch (error) {
      case ErrorResponseException e -> {
        String code = e.errorResponse().code();
        if (e.response().code() == 409 || code.startsWith("SlowDown")) {
          yield Verdict.NOT_DONE; // 409: two conditional writes at once, of which this one lost
        }
        yield TRANSIENT.contains(code) || e.response().code() >= 500
            ? Verdict.UNCLEAR
            : Verdict.FINAL;
      }
      case ServerException e -> e.statusCode() >= 500 ? Verdict.UNCLEAR : Verdict.FINAL;
      default -> Verdict.UNCLEAR; // no answer, one cut short, or one from something in between
    };
  }

  /** Whether the object is not there. */
  static boolean isAbsent(Throwable error) {
    return error instanceof ErrorResponseException e
        && "NoSuchKey".equals(e.errorResponse().code());
  }

  /** Whether a condition of the request does not hold. */
  static boolean isRefused(Throwable error) {
    return error instanceof ErrorResponseException e
        && (e.response().code() == 412 || isAbsent(error));
  }

  static boolean hasStatus(Throwable error, int status) {
    return error instanceof ErrorResponseException e && e.response().code() == status;
  }

  static boolean hasCode(Throwable error, String code) {
    return error instanceof ErrorResponseException e && code.equals(e.errorResponse().code());
  }

  EbbException.Unavailable unavailable(String what, Throwable error) {
    return new EbbException.Unavailable(
        "cannot "
            + what
            + " in bucket "
            + config.bucket()
            + " at "
            + config.endpoint()
            + ": "
            + reason(error),
        harmless(error));
  }

  /** The MinIO client puts all headers of a request into what it throws, a session's token too. */
  private static Throwable harmless(Throwable error) {
    return error instanceof ErrorResponseException e
        ? new IOException(e.errorResponse().code() + " (" + e.response().code() + ")")
        : error;
  }

  /** What went wrong and what to do. */
  String reason(Throwable error) {
    if (error instanceof ErrorResponseException e) {
      return answered(e);
    }
    if (error instanceof InvalidResponseException) {
      return "what answers there is no S3 server: correct store.s3.endpoint";
    }
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      String reason = known(cause);
      if (reason != null) {
        return reason;
      }
    }
    return root(error).toString(); // what it says itself is all that is known
  }

  private static @Nullable String known(Throwable error) {
    return switch (error) {
      case UnknownHostException e -> "the host name is not known: correct store.s3.endpoint";
      case ConnectException e -> nobodyAnswers(e);
      case NoRouteToHostException e -> nobodyAnswers(e);
      case InterruptedIOException e -> // SocketTimeoutException, and the whole call's
          "the S3 server does not answer in time (" + e.getMessage() + ")";
      case SSLException e -> tls(String.valueOf(e.getMessage()));
      case java.security.cert.CertificateException e -> tls(String.valueOf(e.getMessage()));
      case java.security.cert.CertPathBuilderException e -> tls(String.valueOf(e.getMessage()));
      case XmlParserException e ->
          "what answers there is no S3 server, or its answer is damaged: " + root(e).getMessage();
      default -> null;
    };
  }

  private static String nobodyAnswers(Exception e) {
    return "no S3 server answers there ("
        + e.getMessage()
        + "): start it, or correct store.s3.endpoint";
  }

  private static String tls(String message) {
    return message.contains("plaintext connection") || message.contains("Unsupported or unrecog")
        ? "the server does not speak TLS: use an http:// endpoint, or correct its port"
        : "TLS failed ("
            + message
            + "): use the host name of the server's certificate, and put its issuer into the JVM's"
            + " trust store (-Djavax.net.ssl.trustStore)";
  }

  private static Throwable root(Throwable error) {
    Throwable root = error;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root;
  }

  private String answered(ErrorResponseException e) {
    String code = e.errorResponse().code();
    return switch (code) {
      case "NoSuchBucket" ->
          "bucket " + config.bucket() + " does not exist: create it, or correct store.s3.bucket";
      case "InvalidAccessKeyId", "SignatureDoesNotMatch" ->
          code
              + ": the access key or the secret key is wrong: correct AWS_ACCESS_KEY_ID and"
              + " AWS_SECRET_ACCESS_KEY";
      case "ExpiredToken", "InvalidToken" ->
          code + ": the session token is wrong or too old: renew AWS_SESSION_TOKEN";
      case "AccessDenied" ->
          code + ": the access key may not do this; allow it to list, read, write and delete";
      case "RequestTimeTooSkewed" ->
          code + ": the clocks of this machine and of the server differ: set them (NTP)";
      case "AuthorizationHeaderMalformed",
          "PermanentRedirect",
          "IllegalLocationConstraintException" ->
          code + ": the bucket is in another region: correct store.s3.region and the endpoint";
      default -> code + " (" + e.response().code() + "): " + e.errorResponse().message();
    };
  }
}
