// The console's words in English and Indonesian. A missing word is a type error.
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";

const english = {
  title: "quoin console",
  signIn: "Sign in",
  signOut: "Sign out",
  tenant: "Tenant",
  role: "Role",
  signInHint: "Development identities; a deployment signs in through its own identity provider.",
  catalog: "Catalog",
  search: "Search offerings",
  noOfferings: "No offering matches.",
  noPublication: "No publication is active for this tenant yet.",
  resultsAge: "results read {age} ago",
  configure: "Configure",
  chooseOffering: "Choose an offering to configure it.",
  quantity: "Quantity",
  priceBook: "Price book",
  discount: "Discount %",
  discountReason: "Reason for the discount",
  price: "Price preview",
  preview: "Preview price",
  priceAge: "calculated {age} ago",
  notEvidence: "A preview is not evidence: the final price is sealed with the quote.",
  list: "List",
  net: "Net",
  oneTime: "One-time",
  recurring: "per {period}",
  createQuote: "Create quote",
  quote: "Quote",
  noQuote: "No quote yet.",
  revision: "Revision {n}",
  seal: "Final price",
  submit: "Submit",
  approve: "Approve",
  reject: "Reject",
  present: "Present",
  accept: "Accept",
  approvalNeeded: "Needs approval",
  switchHint: "Sign in as another role to go on; the quote stays.",
  order: "Order",
  noOrder: "The order appears here once the quote is accepted.",
  tasks: "Fulfilment",
  updated: "read {age} ago",
  language: "Language",
  invalid: "This configuration is not valid",
  working: "Working…",
};

const indonesian: typeof english = {
  title: "konsol quoin",
  signIn: "Masuk",
  signOut: "Keluar",
  tenant: "Tenant",
  role: "Peran",
  signInHint: "Identitas pengembangan; instalasi nyata masuk lewat penyedia identitasnya sendiri.",
  catalog: "Katalog",
  search: "Cari penawaran",
  noOfferings: "Tidak ada penawaran yang cocok.",
  noPublication: "Belum ada publikasi aktif untuk tenant ini.",
  resultsAge: "hasil dibaca {age} lalu",
  configure: "Konfigurasi",
  chooseOffering: "Pilih penawaran untuk dikonfigurasi.",
  quantity: "Jumlah",
  priceBook: "Buku harga",
  discount: "Diskon %",
  discountReason: "Alasan diskon",
  price: "Pratinjau harga",
  preview: "Hitung harga",
  priceAge: "dihitung {age} lalu",
  notEvidence: "Pratinjau bukan bukti: harga akhir disegel bersama penawaran.",
  list: "Harga daftar",
  net: "Bersih",
  oneTime: "Sekali bayar",
  recurring: "per {period}",
  createQuote: "Buat penawaran",
  quote: "Penawaran",
  noQuote: "Belum ada penawaran.",
  revision: "Revisi {n}",
  seal: "Harga akhir",
  submit: "Ajukan",
  approve: "Setujui",
  reject: "Tolak",
  present: "Sampaikan",
  accept: "Terima",
  approvalNeeded: "Perlu persetujuan",
  switchHint: "Masuk dengan peran lain untuk melanjutkan; penawaran tetap ada.",
  order: "Pesanan",
  noOrder: "Pesanan muncul di sini setelah penawaran diterima.",
  tasks: "Pemenuhan",
  updated: "dibaca {age} lalu",
  language: "Bahasa",
  invalid: "Konfigurasi ini tidak sah",
  working: "Sedang bekerja…",
};

export const languages = { en: english, id: indonesian } as const;
export type Language = keyof typeof languages;
export type Word = keyof typeof english;

type LanguageState = { language: Language; choose: (language: Language) => void; say: (word: Word, values?: Record<string, string>) => string };

const Context = createContext<LanguageState | null>(null);

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, choose] = useState<Language>(navigator.language.startsWith("id") ? "id" : "en");
  useEffect(() => {
    document.documentElement.lang = language;
    document.title = languages[language].title;
  }, [language]);
  const say = (word: Word, values: Record<string, string> = {}) =>
    languages[language][word].replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
  return <Context.Provider value={{ language, choose, say }}>{children}</Context.Provider>;
}

export function useLanguage(): LanguageState {
  const state = useContext(Context);
  if (!state) throw new Error("LanguageProvider is missing");
  return state;
}
