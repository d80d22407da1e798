/* A fake librtlsdr: serves a file of u8 IQ through the interface of librtlsdr 0.6 and 2.0, plus the
 * nine functions that pyrtlsdr 0.4 and later look up when imported. Linux, glibc.
 *
 *   gcc -O2 -shared -fPIC -Wl,-soname,librtlsdr.so.0 -o librtlsdr.so.0 fake_librtlsdr.c -ldl -lpthread
 *   ln -s librtlsdr.so.0 librtlsdr.so
 *   LD_LIBRARY_PATH=. FAKE_RTL_FILE=x.u8 FAKE_RTL_PACE=0 rtl_sdr -f 100M -s 2400000 out.u8
 *
 *   FAKE_RTL_FILE=path       u8 IQ data (none: an 8-bit counter, as test mode gives)
 *   FAKE_RTL_FILEn=path      the same for device n only
 *   FAKE_RTL_LOOP=n          times to play the file (0 = for ever; default 1)
 *   FAKE_RTL_PACE=x          x times real time at the set sample rate (0 = no pacing; default 1)
 *   FAKE_RTL_AT_EOF=cancel|block|error|signal|hang   (default cancel: read_async returns 0; block: no more
 *                            data; signal: SIGTERM to the own process, then block; hang: deaf to cancel_async too)
 *   FAKE_RTL_LOCKSTEP=n      next buffer only once n threads wait in pthread_cond_wait (rtl_fm: 3);
 *                            needs the library in LD_PRELOAD too; gives up waiting after 5 s
 *   FAKE_RTL_COUNT=n         devices (default 1)
 *   FAKE_RTL_SERIAL=s        serial of device 0 (default 00000001)
 *   FAKE_RTL_LOG=path        appends one line per API call
 *   FAKE_RTL_FAIL=fn:rc,...  fn (without rtlsdr_) returns rc; fn:rc@n only on its n-th call
 *   FAKE_RTL_MAXBUF=n        read_async ends, as at end of data, after n buffers
 *   FAKE_RTL_UNPLUG=n        after n buffers the dongle is gone: read_async returns 0, as with a lost device,
 *                            other calls -4 (LIBUSB_ERROR_NO_DEVICE), and no device is counted any more
 *   FAKE_RTL_LOSE=n:m,...    before buffer n, m bytes vanish: data and clock go on, the bytes are not delivered
 *   FAKE_RTL_LOCK=folder     one opener at a time over all processes, as the kernel has it: open returns -6 (busy)
 *
 * Unlike a dongle it may end with one short buffer, and it loses samples only when told to.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdarg.h>
#include <unistd.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <errno.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/file.h>
#include <sys/stat.h>

typedef void (*cb_t)(unsigned char *buf, uint32_t len, void *ctx);
typedef struct dev {
    int idx; uint32_t fc, rate, bw, rtlx, tunx; int ppm, gain, gmode, agc, direct, offset, testmode, bias;
    const uint8_t *data; size_t size, pos; int loops, played; uint8_t ctr;
    atomic_int cancel, running; double t0; uint64_t sent; int lock;
} dev_t_;
static const int GAINS[29] = {0,9,14,27,37,77,87,125,144,157,166,197,207,229,254,280,297,328,338,364,
    372,386,402,421,434,439,445,480,496};

static int envi(const char *k, int d){ const char *s=getenv(k); return s&&*s?atoi(s):d; }
static double envd(const char *k, double d){ const char *s=getenv(k); return s&&*s?atof(s):d; }
static double now(void){ struct timespec t; clock_gettime(CLOCK_MONOTONIC,&t); return t.tv_sec+1e-9*t.tv_nsec; }
static void lg(const char *fmt, ...){
    const char *p=getenv("FAKE_RTL_LOG"); if(!p||!*p) return;
    char b[512]; va_list a; va_start(a,fmt); int n=vsnprintf(b,sizeof b-1,fmt,a); va_end(a); b[n++]='\n';
    int fd=open(p,O_WRONLY|O_CREAT|O_APPEND,0644); if(fd>=0){ if(write(fd,b,n)<0){} close(fd);} }
static atomic_int gone;
static int calls(const char *fn){                                       /* how often fn was called, this call included */
    static struct { const char *fn; int n; } seen[64];
    for(int i=0;i<64;i++){ if(!seen[i].fn) seen[i].fn=fn; if(!strcmp(seen[i].fn,fn)) return ++seen[i].n; } return 0; }
static int failrc(const char *fn){
    const char *s=getenv("FAKE_RTL_FAIL"); if(gone) return -4; if(!s) return 0; size_t n=strlen(fn);
    while(*s){ if(!strncmp(s,fn,n)&&s[n]==':'){ char *end; int rc=(int)strtol(s+n+1,&end,10);
            return *end!='@'||calls(fn)==atoi(end+1)?rc:0; }
        s=strchr(s,','); if(!s) break; s++; } return 0; }
static size_t lose(int buffer){                                         /* bytes to lose before this buffer */
    const char *s=getenv("FAKE_RTL_LOSE"); while(s&&*s){ char *end; if(strtol(s,&end,10)==buffer&&*end==':') return strtoul(end+1,0,10);
        s=strchr(s,','); if(s) s++; } return 0; }
#define CHECK(fn) do{ int r_=failrc(fn); if(r_) { lg("%s -> %d",fn,r_); return r_; } }while(0)

/* ---- lockstep: count idle threads, so that tools with a one-slot hand-over lose nothing ---- */
#define NC 64
static struct { void *c; int n; } conds[NC]; static int idle; static pthread_mutex_t im=PTHREAD_MUTEX_INITIALIZER;
static int (*r_wait)(pthread_cond_t*,pthread_mutex_t*), (*r_sig)(pthread_cond_t*);
static int lockstep=-1;
static void *real(const char *fn){ void *p=dlvsym(RTLD_NEXT,fn,"GLIBC_2.3.2"); return p?p:dlsym(RTLD_NEXT,fn); } /* x86-64; else the only one */
static void init_hooks(void){ if(!r_wait){ r_wait=real("pthread_cond_wait"); r_sig=real("pthread_cond_signal"); lockstep=envi("FAKE_RTL_LOCKSTEP",0);} }
static int slot(void *c){ for(int i=0;i<NC;i++){ if(conds[i].c==c) return i; if(!conds[i].c){conds[i].c=c;return i;} } return NC-1; }
int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m){ init_hooks(); if(lockstep>0){ pthread_mutex_lock(&im); conds[slot(c)].n++; idle++; pthread_mutex_unlock(&im);} return r_wait(c,m); }
int pthread_cond_signal(pthread_cond_t *c){ init_hooks(); if(lockstep>0){ pthread_mutex_lock(&im); int s=slot(c); if(conds[s].n>0){conds[s].n--; idle--;} pthread_mutex_unlock(&im);} return r_sig(c); }
static void wait_idle(dev_t_ *d){ init_hooks(); if(lockstep<=0) return;
    struct timespec ts={0,20000}; double t=now();
    for(;;){ pthread_mutex_lock(&im); int k=idle; pthread_mutex_unlock(&im); if(k>=lockstep||d->cancel) return;
        if(now()-t>5) return; nanosleep(&ts,0);} }

uint32_t rtlsdr_get_device_count(void){ return gone?0:envi("FAKE_RTL_COUNT",1); }
const char *rtlsdr_get_device_name(uint32_t i){ return i<rtlsdr_get_device_count()?"Generic RTL2832U OEM (fake)":""; }
static void serial(uint32_t i,char *s){ const char *e=getenv("FAKE_RTL_SERIAL"); if(i==0&&e) strcpy(s,e); else sprintf(s,"%08u",i+1); }
int rtlsdr_get_device_usb_strings(uint32_t i,char*m,char*p,char*s){ if(i>=rtlsdr_get_device_count()) return -2; CHECK("get_device_usb_strings");
    if(m) strcpy(m,"Realtek"); if(p) strcpy(p,"RTL2838UHIDIR"); if(s) serial(i,s); return 0; }
int rtlsdr_get_index_by_serial(const char*s){ char b[256]; if(!s) return -1; uint32_t n=rtlsdr_get_device_count(); if(!n) return -2;
    for(uint32_t i=0;i<n;i++){ serial(i,b); if(!strcmp(b,s)) return i; } return -3; }
int rtlsdr_open(dev_t_ **o,uint32_t i){
    if(i>=rtlsdr_get_device_count()) return -1; CHECK("open");
    dev_t_ *d=calloc(1,sizeof *d); d->idx=i; d->rtlx=d->tunx=28800000; d->rate=0; d->loops=envi("FAKE_RTL_LOOP",1); d->lock=-1;
    const char *folder=getenv("FAKE_RTL_LOCK");
    if(folder&&*folder){ char path[512]; snprintf(path,sizeof path,"%s/rtl%u.lock",folder,i); d->lock=open(path,O_RDWR|O_CREAT|O_CLOEXEC,0666);
        if(d->lock<0||flock(d->lock,LOCK_EX|LOCK_NB)){ if(d->lock>=0) close(d->lock); free(d); lg("open %u -> -6",i);
            fprintf(stderr,"usb_claim_interface error -6\n"); return -6; } }
    char k[64]; sprintf(k,"FAKE_RTL_FILE%u",i); const char *f=getenv(k); if(!f) f=getenv("FAKE_RTL_FILE");
    if(f&&*f){ int fd=open(f,O_RDONLY); struct stat st; if(fd<0||fstat(fd,&st)){ free(d); return -3; }
        d->size=st.st_size&~(size_t)1; d->data=d->size?mmap(0,d->size,PROT_READ,MAP_PRIVATE|MAP_POPULATE,fd,0):0; close(fd);} else d->testmode=1;
    lg("open %u",i); *o=d; return 0; }
int rtlsdr_close(dev_t_*d){ if(!d) return -1; lg("close sent=%llu",(unsigned long long)d->sent); if(d->data) munmap((void*)d->data,d->size);
    if(d->lock>=0) close(d->lock); free(d); return 0; }
int rtlsdr_set_xtal_freq(dev_t_*d,uint32_t a,uint32_t b){ if(!d) return -1; if(a)d->rtlx=a; if(b)d->tunx=b; return 0; }
int rtlsdr_get_xtal_freq(dev_t_*d,uint32_t*a,uint32_t*b){ if(!d) return -1; if(a)*a=d->rtlx; if(b)*b=d->tunx; return 0; }
int rtlsdr_get_usb_strings(dev_t_*d,char*m,char*p,char*s){ return d?rtlsdr_get_device_usb_strings(d->idx,m,p,s):-1; }
int rtlsdr_write_eeprom(dev_t_*d,uint8_t*p,uint8_t o,uint16_t n){ (void)p;(void)o;(void)n; return d?-3:-1; }
int rtlsdr_read_eeprom(dev_t_*d,uint8_t*p,uint8_t o,uint16_t n){ (void)p;(void)o;(void)n; return d?-3:-1; }
int rtlsdr_set_center_freq(dev_t_*d,uint32_t f){ if(!d) return -1; CHECK("set_center_freq"); d->fc=f; lg("set_center_freq %u",f); return 0; }
uint32_t rtlsdr_get_center_freq(dev_t_*d){ return d?d->fc:0; }
int rtlsdr_set_freq_correction(dev_t_*d,int p){ if(!d) return -1; if(d->ppm==p) return -2; CHECK("set_freq_correction"); d->ppm=p; lg("set_freq_correction %d",p); return 0; }
int rtlsdr_get_freq_correction(dev_t_*d){ return d?d->ppm:0; }
int rtlsdr_get_tuner_type(dev_t_*d){ return d?5:0; /* R820T */ }
int rtlsdr_get_tuner_gains(dev_t_*d,int*g){ if(!d) return -1; if(g) memcpy(g,GAINS,sizeof GAINS); return 29; }
int rtlsdr_set_tuner_gain(dev_t_*d,int g){ if(!d) return -1; CHECK("set_tuner_gain"); int best=0; for(int i=1;i<29;i++) if(abs(GAINS[i]-g)<abs(GAINS[best]-g)) best=i;
    d->gain=GAINS[best]; lg("set_tuner_gain %d",g); return 0; }
int rtlsdr_get_tuner_gain(dev_t_*d){ return d?d->gain:0; }
int rtlsdr_set_tuner_bandwidth(dev_t_*d,uint32_t b){ if(!d) return -1; CHECK("set_tuner_bandwidth"); d->bw=b; lg("set_tuner_bandwidth %u",b); return 0; }
int rtlsdr_set_and_get_tuner_bandwidth(dev_t_*d,uint32_t b,uint32_t*a,int y){ if(!d) return -1; if(y)d->bw=b; if(a)*a=b; return 0; }
int rtlsdr_set_tuner_if_gain(dev_t_*d,int s,int g){ (void)s;(void)g; return d?0:-1; }
int rtlsdr_set_tuner_gain_mode(dev_t_*d,int m){ if(!d) return -1; CHECK("set_tuner_gain_mode"); d->gmode=m; lg("set_tuner_gain_mode %d",m); return 0; }
int rtlsdr_set_sample_rate(dev_t_*d,uint32_t r){ if(!d) return -1; CHECK("set_sample_rate");
    int narrow=r>225000&&r<=300000, wide=r>900000&&r<=3200000;          /* what the chip resamples to */
    if(!narrow&&!wide){ fprintf(stderr,"fake librtlsdr: no such sample rate: %u\n",r); lg("set_sample_rate %u -> -22",r); return -22; }
    uint32_t steps=(uint32_t)(4194304.0*d->rtlx/r)&~3u;                 /* crystal periods per sample, in 2^-22, multiple of 4 */
    d->rate=(uint32_t)(4194304.0*d->rtlx/steps); lg("set_sample_rate %u",r); return 0; }
uint32_t rtlsdr_get_sample_rate(dev_t_*d){ return d?d->rate:0; }
int rtlsdr_set_testmode(dev_t_*d,int on){ if(!d) return -1; d->testmode=on||!d->data; lg("set_testmode %d",on); return 0; }
int rtlsdr_set_agc_mode(dev_t_*d,int on){ if(!d) return -1; CHECK("set_agc_mode"); d->agc=on; lg("set_agc_mode %d",on); return 0; }
int rtlsdr_set_direct_sampling(dev_t_*d,int on){ if(!d) return -1; CHECK("set_direct_sampling"); d->direct=on; lg("set_direct_sampling %d",on); return 0; }
int rtlsdr_get_direct_sampling(dev_t_*d){ return d?d->direct:-1; }
int rtlsdr_set_offset_tuning(dev_t_*d,int on){ if(!d) return -1; (void)on; lg("set_offset_tuning %d -> -2",on); return -2; /* as the R820T does */ }
int rtlsdr_get_offset_tuning(dev_t_*d){ return d?d->offset:-1; }
int rtlsdr_reset_buffer(dev_t_*d){ if(!d) return -1; CHECK("reset_buffer"); lg("reset_buffer"); d->t0=0; d->sent=0; return 0; }
int rtlsdr_set_bias_tee(dev_t_*d,int on){ if(!d) return -1; CHECK("set_bias_tee"); d->bias=on; lg("set_bias_tee %d",on); return 0; }
int rtlsdr_set_bias_tee_gpio(dev_t_*d,int g,int on){ (void)g; return rtlsdr_set_bias_tee(d,on); }
/* only in newer / other branches; pyrtlsdr 0.4+ binds them at import */
int rtlsdr_set_dithering(dev_t_*d,int on){ (void)on; return d?0:-1; }
int rtlsdr_set_gpio_output(dev_t_*d,uint8_t g){ (void)g; return d?0:-1; }
int rtlsdr_set_gpio_input(dev_t_*d,uint8_t g){ (void)g; return d?0:-1; }
int rtlsdr_set_gpio_bit(dev_t_*d,uint8_t g,int v){ (void)g;(void)v; return d?0:-1; }
int rtlsdr_get_gpio_bit(dev_t_*d,uint8_t g,int*v){ (void)g; if(v)*v=0; return d?0:-1; }
int rtlsdr_set_gpio_byte(dev_t_*d,int v){ (void)v; return d?0:-1; }
int rtlsdr_get_gpio_byte(dev_t_*d,int*v){ if(v)*v=0; return d?0:-1; }
int rtlsdr_set_gpio_status(dev_t_*d,int*v){ (void)v; return d?0:-1; }

static size_t fill(dev_t_*d,uint8_t*b,size_t n){
    if(d->testmode){ for(size_t i=0;i<n;i++) b[i]=d->ctr++; return n; }
    size_t k=0; while(k<n&&d->size){ if(d->pos>=d->size){ d->played++; if(d->loops&&d->played>=d->loops) break; d->pos=0; }
        size_t m=d->size-d->pos; if(m>n-k) m=n-k; memcpy(b+k,d->data+d->pos,m); k+=m; d->pos+=m; } return k; }
static void skip(dev_t_*d,size_t n){ if(d->testmode||!d->size) d->ctr+=n; else d->pos=d->pos+n>d->size?d->size:d->pos+n; d->sent+=n/2; }
static void pace(dev_t_*d,size_t n){ double x=envd("FAKE_RTL_PACE",1.0); if(!d->t0) d->t0=now(); d->sent+=n/2;
    if(x<=0||!d->rate) return; double w=d->t0+d->sent/(d->rate*x)-now(); while(w>0&&!d->cancel){ double s=w>0.05?0.05:w; struct timespec ts={0,(long)(s*1e9)}; nanosleep(&ts,0); w=d->t0+d->sent/(d->rate*x)-now(); } }
int rtlsdr_read_sync(dev_t_*d,void*b,int len,int*n){ if(!d) return -1; CHECK("read_sync"); size_t k=fill(d,b,len); *n=(int)k; pace(d,k);
    if(k==0){ const char*e=getenv("FAKE_RTL_AT_EOF"); if(e&&!strcmp(e,"signal")) kill(getpid(),SIGTERM); return e&&!strcmp(e,"error")?-8:0; } return 0; }
int rtlsdr_cancel_async(dev_t_*d){ if(!d) return -1; lg("cancel_async"); if(!d->running) return -2; d->cancel=1; return 0; }
int rtlsdr_read_async(dev_t_*d,cb_t cb,void*ctx,uint32_t num,uint32_t len){
    if(!d) return -1; if(d->running) return -2; CHECK("read_async");
    if(!num) num=15; if(!len) len=16*32*512; if(len%512) len=16*32*512; lg("read_async num=%u len=%u",num,len);
    uint8_t *b=malloc((size_t)num*len); d->cancel=0; d->running=1; int rc=0; int maxb=envi("FAKE_RTL_MAXBUF",0), unplug=envi("FAKE_RTL_UNPLUG",0); int i=0;
    while(!d->cancel){ uint8_t*p=b+(size_t)(i%num)*len; wait_idle(d); skip(d,lose(i)); size_t k=fill(d,p,len);
        if(k){ pace(d,k); if(d->cancel) break; cb(p,(uint32_t)k,ctx); i++; if(maxb&&i>=maxb) k=0;
            if(unplug&&i>=unplug){ gone=1; lg("unplugged"); fprintf(stderr,"cb transfer status: 5, canceling...\n"); break; } }
        if(k<len){ const char*e=getenv("FAKE_RTL_AT_EOF"); if(!e) e="cancel"; lg("eof %s",e); wait_idle(d);
            if(!strcmp(e,"signal")){ kill(getpid(),SIGTERM); e="block"; }
            if(!strcmp(e,"hang")) for(;;) usleep(100000);
            if(!strcmp(e,"block")) while(!d->cancel) usleep(2000);
            if(!strcmp(e,"error")) rc=-1; break; } }
    d->running=0; free(b); lg("read_async -> %d",rc); return rc; }
int rtlsdr_wait_async(dev_t_*d,cb_t cb,void*ctx){ return rtlsdr_read_async(d,cb,ctx,0,0); }
