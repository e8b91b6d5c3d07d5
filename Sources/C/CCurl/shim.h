#ifndef OCTET_CCURL_H
#define OCTET_CCURL_H

#include <curl/curl.h>
#include <stdbool.h>

// Variadic functions are not imported, nor are macros with arguments. All return a CURLcode.
static inline CURLcode octet_curl_set_long(CURL *curl, CURLoption option, long value) {
  return curl_easy_setopt(curl, option, value);
}

static inline CURLcode octet_curl_set_string(CURL *curl, CURLoption option, const char *value) {
  return curl_easy_setopt(curl, option, value);
}

static inline CURLcode octet_curl_set_pointer(CURL *curl, CURLoption option, void *value) {
  return curl_easy_setopt(curl, option, value);
}

static inline CURLcode octet_curl_set_list(CURL *curl, CURLoption option, struct curl_slist *list) {
  return curl_easy_setopt(curl, option, list);
}

static inline CURLcode octet_curl_set_body(CURL *curl, const void *bytes, curl_off_t count) {
  CURLcode code = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, count);
  return code == CURLE_OK ? curl_easy_setopt(curl, CURLOPT_POSTFIELDS, bytes) : code;
}

typedef size_t (*octet_curl_receiver)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode octet_curl_set_receiver(CURL *curl, CURLoption option, octet_curl_receiver receiver) {
  return curl_easy_setopt(curl, option, receiver);
}

static inline long octet_curl_status(CURL *curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

/// Whether anything of a body was sent.
static inline bool octet_curl_has_sent(CURL *curl) {
  curl_off_t count = 0;
  curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &count);
  return count > 0;
}

static inline CURLMcode octet_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}

// The message's result is in a union. 1 and the handle and code, or 0 when there is no message.
static inline int octet_curl_next_done(CURLM *multi, CURL **curl, CURLcode *code) {
  int left = 0;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi, &left)) != NULL) {
    if (message->msg != CURLMSG_DONE) continue;
    *curl = message->easy_handle;
    *code = message->data.result;
    return 1;
  }
  return 0;
}

#endif
